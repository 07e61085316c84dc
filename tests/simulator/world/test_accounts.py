"""Claims about companies: their firmographics, who belongs to them, and what they mean to the sales desk."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from small_worlds import SE, check_shares, simulated

from analytics.events.geography import REGION_OF_COUNTRY, REGIONS
from simulator.engine.clock import Clock
from simulator.engine.streams import Streams
from simulator.model import Model
from simulator.sales.desk import BuyerDraws, SalesDesk
from simulator.settings.clock import ClockSettings
from simulator.settings.population import PopulationSettings
from simulator.settings.sales import SalesSettings
from simulator.settings.world import WorldSettings
from simulator.world.accounts import ACCOUNTS_SCHEMA, UNKNOWN_COMPANY, Company
from simulator.world.population import Population


def population_of(**settings: Any) -> Population:
    """A population of people who are all alike, with these settings."""
    return Population(PopulationSettings.model_validate({"personas": {}, **settings}), {"direct": 1.0}, Streams(3))


def test_companies_have_the_shares_of_the_settings():
    """Size bands, industries and regions have their shares, and good fits the rate of their band (4.5 SE)."""
    population = population_of(accounts=40_000)
    accounts, settings = population.accounts, population.settings
    check_shares(accounts.size, [band.share for band in settings.company_sizes.values()])
    check_shares(accounts.industry, list(settings.industries.values()))
    of_region = dict.fromkeys(REGIONS, 0.0)
    for code, country in settings.countries.items():
        of_region[REGION_OF_COUNTRY[code]] += country.share
    check_shares(accounts.region, list(of_region.values()))
    for band, size in enumerate(settings.company_sizes.values()):
        check_shares(
            (~accounts.good_fit[accounts.size == band]).astype(int), [size.good_fit_rate, 1 - size.good_fit_rate]
        )


def test_large_companies_send_more_people():
    """Companies send visitors in proportion to their band's number: three times as many from one as from the other."""
    sizes = {"small": {"share": 0.5, "visitors": 1.0}, "large": {"share": 0.5, "visitors": 3.0}}
    population = population_of(company_sizes=sizes, account_size_spread=0.0, account_rate=1.0)
    people = population.draw(100_000, 0)
    accounts, seen = population.accounts, people.account >= 0
    for region in range(len(REGIONS)):
        here = people.account[seen & (people.region == region)]
        n_small, n_large = (np.sum((accounts.region == region) & (accounts.size == size)) for size in (0, 1))
        share = 3 * n_large / (n_small + 3 * n_large)
        assert abs((accounts.size[here] == 1).mean() - share) < SE * np.sqrt(share * (1 - share) / len(here))


def test_events_have_industry_and_size_of_the_company():
    """Both columns are those of the account in every event, and null exactly where the account is.

    Visitors of an account, invited ones too, live in its region; a company address is of the account's domain.
    """
    population = {"accounts": 200, "company_email_rate": 1.0}
    settings = {"traffic": {"visitors_per_day": 3000}, "intent": {"target_conversion": 0.2}, "population": population}
    found, outcome = simulated(WorldSettings.model_validate(settings), seed=2)
    assert outcome.accounts.schema == ACCOUNTS_SCHEMA
    events = found.select(
        account="context_group_id",
        industry=pl.col("context_company_industry").cast(pl.String),
        size=pl.col("context_company_size").cast(pl.String),
    ).unique()
    known = events.filter(pl.col("account").is_not_null())
    assert known.height > 100
    assert known.join(outcome.accounts, on=["account", "industry", "size"], how="anti").is_empty()
    assert events.filter(pl.col("account").is_null()).rows() == [(None, None, None)]
    people = outcome.people.join(outcome.accounts, on="account", how="inner")
    assert people["invited_by"].count() > 10
    assert (people["country"].replace_strict(REGION_OF_COUNTRY) == people["region"]).all()
    mails = found.filter(pl.col("email").is_not_null() & pl.col("context_group_id").is_not_null())
    assert (mails["email"].str.split("@").list.last() == mails["context_group_id"]).all()


def test_all_arrival_sources_share_the_companies():
    """People who come by a campaign belong to the companies of the ordinary traffic, with the same regions."""
    sale = {"start": "2026-03-03T00:00:00Z", "end": "2026-03-04T00:00:00Z", "channel": "email", "visitors": 900}
    world = WorldSettings.model_validate(
        {"traffic": {"visitors_per_day": 900, "campaigns": {"sale": sale}}, "population": {"accounts": 20}}
    )
    outcome = Model(world, seed=2).run().outcome
    pairs = outcome.people.select("account", region=outcome.people["country"].replace_strict(REGION_OF_COUNTRY))
    by_campaign = outcome.people["inflow"].str.starts_with("campaign:")
    assert by_campaign.sum() > 400
    assert pairs.drop_nulls().unique()["account"].is_unique().all()
    assert not set(outcome.people["account"].drop_nulls()) - set(outcome.accounts["account"])


@pytest.mark.parametrize(
    ("company", "opportunities", "value"),
    [
        (UNKNOWN_COMPANY, 1, 50_000.0),
        (Company("a", good_fit=True, deal_factor=3.0), 1, 150_000.0),
        (Company("b", good_fit=False, deal_factor=0.4), 0, None),
    ],
)
def test_the_company_affects_the_deal(company: Company, opportunities: int, value: float | None):
    """A poor fit lowers the probability of an opportunity by its factor; the size band multiplies the deal."""
    settings = SalesSettings.model_validate(
        {
            "teams": {"default": {"opens": "00:00", "closes": "24:00"}},
            "held_to_opportunity": 0.8,
            "poor_fit_factor": 0.5,
            "opportunity_to_won": 1.0,
            "days_to_close": 0.0,
            "deal_value": 50_000.0,
        }
    )
    clock = Clock(ClockSettings(hours=240))
    desk = SalesDesk(clock, settings)
    # The median of everything, but for an opportunity that 0.8 allows and 0.8 · 0.5 does not.
    desk.request_demo("v", "europe", BuyerDraws(0.5, 0.5, 0.9, 0.6, 0.5, 0.5, 0.5), company=company)
    clock.env.run(until=clock.length_ms)
    outcome = desk.outcome(clock.length_ms)
    assert outcome.summary["opportunities"] == opportunities
    assert outcome.requests["account"].to_list() == [company.account]
    assert outcome.requests["deal_value"].to_list() == [None if value is None else pytest.approx(value)]
