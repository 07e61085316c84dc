"""Claims about who the visitors are."""

import numpy as np
import pytest
from small_worlds import SE, check_shares, off_by

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
    """Countries, their time zones, devices and channels have their shares; device and channel are independent."""
    countries = population.settings.countries
    check_shares(people.country, [country.share for country in countries.values()])
    check_shares(people.device, list(population.settings.devices.values()))
    check_shares(people.channel, list(CHANNELS.values()))
    pairs = np.outer([0.66, 0.30, 0.04], list(CHANNELS.values())).ravel()
    check_shares(people.device * len(CHANNELS) + people.channel, list(pairs))
    for index, country in enumerate(countries.values()):
        zones = np.sort([population.zones.index(zone) for zone in country.time_zones])
        of_country = people.zone[people.country == index]
        assert np.isin(of_country, zones).all()
        shares = [country.time_zones[population.zones[zone]] for zone in zones]
        check_shares(np.searchsorted(zones, of_country), shares)


def test_a_visitor_belongs_to_an_account_of_their_region(population: Population, people: People):
    """As many as account_rate says (4.5 SE); only they have a company address, as many as company_email_rate says."""
    settings, known = population.settings, people.account >= 0
    regions = np.array([REGIONS.index(REGION_OF_COUNTRY[code]) for code in population.countries])
    np.testing.assert_array_equal(people.region, regions[people.country])
    np.testing.assert_array_equal(population.accounts.region[people.account[known]], people.region[known])
    assert off_by(known, settings.account_rate) < SE
    assert not people.company_email[~known].any()
    assert off_by(people.company_email[known], settings.company_email_rate) < SE


def test_accounts_differ_in_size_as_far_as_the_settings_say(people: People):
    """Some accounts send many people; without a spread the visitors of each are Poisson: variance = mean in 4.5 SE."""
    sizes = np.bincount(people.account[people.account >= 0], minlength=4000)
    assert sizes.var() > 2 * sizes.mean()
    alike = {"any": {"share": 1.0}}
    equal = population_of(
        account_size_spread=0.0, company_sizes=alike, countries={"DE": {"share": 1, "time_zones": {"Europe/Berlin": 1}}}
    )
    drawn = equal.draw(N, 0)
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
    """Each account has a domain of its own, below example.com; −1, which stands for no account, has none."""
    domains = population.accounts.domains
    assert domains.n_unique() == population.settings.accounts
    assert domains.str.ends_with(".example.com").all()
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
