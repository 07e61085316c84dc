"""Claims about who the visitors are."""

import numpy as np
import pytest
from small_worlds import SE, check_shares

from analytics.events.geography import REGION_OF_COUNTRY, REGIONS
from simulator.engine.streams import Streams
from simulator.settings.population import PopulationSettings
from simulator.world.population import People, Population

N = 100_000
CHANNELS = {"direct": 0.5, "search": 0.3, "blog": 0.2}


def population_of(seed: int = 1, **settings: object) -> Population:
    """A population drawn from these settings, of people who are all alike unless the settings say otherwise."""
    return Population(PopulationSettings.model_validate({"personas": {}, **settings}), CHANNELS, Streams(seed))


@pytest.fixture(scope="module")
def population() -> Population:
    """The default population."""
    return population_of()


@pytest.fixture(scope="module")
def people(population: Population) -> People:
    """Many people of the default population."""
    return population.draw(N, 0)


def test_people_come_in_the_shares_of_the_settings(population: Population, people: People):
    """Countries, devices and channels have the shares they were given."""
    check_shares(people.country, [country.share for country in population.settings.countries.values()])
    check_shares(people.device, list(population.settings.devices.values()))
    check_shares(people.channel, list(CHANNELS.values()))


def test_time_zones_have_their_shares_within_a_country(population: Population, people: People):
    """Each country's people live in its time zones, in their shares, and in no other."""
    for index, country in enumerate(population.settings.countries.values()):
        zones = np.array([population.zones.index(zone) for zone in country.time_zones])
        of_country = people.zone[people.country == index]
        assert np.isin(of_country, zones).all()
        check_shares(
            np.searchsorted(np.sort(zones), of_country),
            [country.time_zones[population.zones[zone]] for zone in np.sort(zones)],
        )


def test_the_region_is_that_of_the_country(population: Population, people: People):
    """Every visitor's region is that of the country."""
    regions = np.array([REGIONS.index(REGION_OF_COUNTRY[code]) for code in population.countries])
    np.testing.assert_array_equal(people.region, regions[people.country])


def test_attributes_are_independent(people: People):
    """Device says nothing of channel: each pair has the product of the shares, within its standard error."""
    pairs = people.device * len(CHANNELS) + people.channel
    devices = np.bincount(people.device) / N
    check_shares(pairs, list(np.outer([0.66, 0.30, 0.04], list(CHANNELS.values())).ravel()))
    assert len(devices) == 3


def test_a_visitor_belongs_to_an_account_of_their_region(population: Population, people: People):
    """A European visitor works for a company counted in Europe."""
    known = people.account >= 0
    np.testing.assert_array_equal(population.accounts.region[people.account[known]], people.region[known])


def test_accounts_are_recognised_at_the_rate_of_the_settings(population: Population, people: People):
    """The share of visitors with an account is account_rate, within 4.5 SE."""
    rate = population.settings.account_rate
    assert abs((people.account >= 0).mean() - rate) < SE * np.sqrt(rate * (1 - rate) / N)


def test_only_people_of_an_account_have_a_company_address(population: Population, people: People):
    """Without an account there is no company address; with one its rate is company_email_rate."""
    known, rate = people.account >= 0, population.settings.company_email_rate
    assert not people.company_email[~known].any()
    assert abs(people.company_email[known].mean() - rate) < SE * np.sqrt(rate * (1 - rate) / known.sum())


def test_some_accounts_send_many_people(people: People):
    """Accounts differ in size: more accounts have several visitors than none would by equal shares."""
    sizes = np.bincount(people.account[people.account >= 0], minlength=4000)
    assert sizes.var() > 2 * sizes.mean()


def test_equal_accounts_are_equally_large():
    """Without a spread of sizes, the visitors of each account of a region are Poisson: variance = mean in 4.5 SE."""
    alike = {"any": {"share": 1.0}}
    people = population_of(
        account_size_spread=0.0, company_sizes=alike, countries={"DE": {"share": 1, "time_zones": {"Europe/Berlin": 1}}}
    )
    drawn = people.draw(N, 0)
    sizes = np.bincount(drawn.account[drawn.account >= 0], minlength=4000)
    # The index of dispersion of n Poisson counts has the variance 2 / (n − 1).
    assert abs(sizes.var(ddof=1) / sizes.mean() - 1) < SE * np.sqrt(2 / 3999)


def test_colleagues_share_their_willingness(population: Population, people: People):
    """The unobserved effect belongs to the account, is standard normal, and 0 for those without one."""
    known = people.account >= 0
    np.testing.assert_array_equal(people.effect[known], population.accounts.effects[people.account[known]])
    assert not people.effect[~known].any()
    effects = population.accounts.effects
    assert abs(effects.mean()) < SE / np.sqrt(len(effects))
    assert abs(effects.std() - 1) < SE / np.sqrt(2 * len(effects))


def test_domains_are_unique_and_belong_to_example_com(population: Population):
    """Each account has a domain of its own, below example.com."""
    domains = population.accounts.domains
    assert domains.n_unique() == population.settings.accounts
    assert domains.str.ends_with(".example.com").all()


def test_no_account_has_no_domain(population: Population):
    """The index −1 stands for no account."""
    assert population.accounts.domains_of(np.array([-1, 0, -1])).is_null().to_list() == [True, False, True]


def test_a_visitor_does_not_depend_on_how_many_are_drawn(population: Population):
    """The first hundred of a thousand are the hundred that are drawn alone."""
    few, many = population.draw(100, 3), population.draw(1000, 3)
    for name in vars(few):
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:100])


def test_cohorts_differ_and_accounts_stay(population: Population):
    """Another cohort holds other people of the same companies; another seed other companies."""
    assert (population.draw(1000, 0).device != population.draw(1000, 1).device).any()
    assert (population.accounts.effects != population_of(seed=2).accounts.effects).all()


def test_a_new_device_share_moves_nothing_else(population: Population):
    """Changing one attribute leaves the draws of all others where they were."""
    other = population_of(devices={"desktop": 0.1, "mobile": 0.9}).draw(1000, 0)
    same = population.draw(1000, 0)
    for name in ("country", "zone", "channel", "account", "company_email", "effect", "persona"):
        np.testing.assert_array_equal(getattr(other, name), getattr(same, name))


def test_a_region_without_accounts_has_visitors_without_accounts():
    """Where there is one account only, people of the other regions have none."""
    people = population_of(accounts=1, account_rate=1.0).draw(2000, 0)
    assert set(np.unique(people.account)) == {-1, 0}
    assert len(np.unique(people.region[people.account == 0])) == 1
