"""Claims about visits, pages and reading times."""

import numpy as np
import pytest
from scipy import stats

from analytics.events.times import HOUR_MS
from analytics.sessions.visits import IDLE_MINUTES
from simulator.engine.streams import Streams, VisitorDraws
from simulator.settings.site import SiteSettings
from simulator.settings.visits import VisitSettings
from simulator.visitors.journey import IDLE_MS, MAX_DWELL_MS, MIN_GAP_MS, JourneyParameters, Journeys, JourneySampler
from simulator.world.navigation import Navigation

N = 20_000
ROWS = np.arange(N)
CHANCE = 1e-3
"""A test of a distribution fails by chance in one of a thousand choices of the (fixed) seed."""


@pytest.fixture(scope="module")
def navigation() -> Navigation:
    """The default site."""
    return Navigation(SiteSettings())


def drawn(navigation: Navigation, rows: np.ndarray = ROWS, seed: int = 1, **settings: object) -> Journeys:
    """Journeys of two channels: those in even rows land on the home page, the others on documentation or blog."""
    visits = VisitSettings.model_validate(settings)
    landings = [{"home": 1.0}, {"docs": 0.25, "blog": 0.75}, visits.return_landing]
    sampler = JourneySampler(visits, navigation, np.stack([navigation.mix(landing) for landing in landings]))
    parameters = JourneyParameters(rows % 2, np.full(len(rows), 2), 0 * rows, np.full(len(rows), visits.return_rate))
    return sampler.draw(parameters, VisitorDraws(Streams(seed), 0, rows))


@pytest.fixture(scope="module")
def journeys(navigation: Navigation) -> Journeys:
    """Journeys of the default settings, half of each channel."""
    return drawn(navigation)


def dwells(journeys: Journeys) -> np.ndarray:
    """Reading time of each page view, in ms."""
    following = np.append(journeys.view_ms[1:], 0)
    last = journeys.first_view + journeys.n_pages - 1
    following[last] = journeys.end_ms
    return following - journeys.view_ms


def test_the_ragged_arrays_fit_together(journeys: Journeys):
    """Visitors hold visits and visits hold views: all lengths, indices and numbers agree."""
    n_visits, n_views = len(journeys.visitor), len(journeys.page)
    assert journeys.n_visits.sum() == n_visits == len(journeys.number) == len(journeys.n_pages) == len(journeys.end_ms)
    assert journeys.n_pages.sum() == n_views == len(journeys.view_ms) == len(journeys.submit_ms)
    np.testing.assert_array_equal(np.bincount(journeys.visitor, minlength=N), journeys.n_visits)
    np.testing.assert_array_equal(np.bincount(journeys.visit_of_view, minlength=n_visits), journeys.n_pages)
    assert journeys.n_visits.min() == 1 == journeys.n_pages.min()
    assert (np.diff(journeys.visitor) >= 0).all()
    np.testing.assert_array_equal(journeys.visitor[journeys.first_visit], ROWS)
    np.testing.assert_array_equal(journeys.visit_of_view[journeys.first_view], np.arange(n_visits))
    np.testing.assert_array_equal(journeys.number, np.arange(n_visits) - journeys.first_visit[journeys.visitor] + 1)


def test_time_never_runs_back(journeys: Journeys):
    """The first page opens at the arrival, the next ones a second later or more; a visit ends after the last."""
    assert not journeys.view_ms[journeys.first_view[journeys.first_visit]].any()
    same = np.diff(journeys.visitor[journeys.visit_of_view]) == 0
    assert (np.diff(journeys.view_ms)[same] >= 1000).all()
    assert dwells(journeys).min() >= 1000


def test_a_page_is_read_for_29_minutes_at_most(navigation: Navigation):
    """However slow the readers, no page is open for the idle time that ends a visit, here and in the analytics."""
    assert IDLE_MS == IDLE_MINUTES * 60_000
    slow = drawn(navigation, dwell_shape=0.2)
    assert dwells(slow).max() <= MAX_DWELL_MS == 29 * 60_000 < IDLE_MS < MIN_GAP_MS


def test_visits_are_further_apart_than_the_idle_time(navigation: Navigation):
    """Between the end of a visit and the next one lie more than 30 minutes, however short the gaps are set."""
    journeys = drawn(navigation, gap_hours=1e-6, return_rate=0.6)
    starts = journeys.view_ms[journeys.first_view]
    same = np.diff(journeys.visitor) == 0
    assert (starts[1:] - journeys.end_ms[:-1])[same].min() >= MIN_GAP_MS


def test_gaps_follow_their_log_logistic_distribution(navigation: Navigation):
    """Beyond 31 minutes gaps are log-logistic with the median and shape of the settings (Kolmogorov–Smirnov)."""
    journeys = drawn(navigation, gap_hours=5.0, gap_shape=1.7, return_rate=0.5)
    starts, same = journeys.view_ms[journeys.first_view], np.diff(journeys.visitor) == 0
    beyond = (starts[1:] - journeys.end_ms[:-1])[same] - MIN_GAP_MS
    assert stats.kstest(beyond, stats.fisk(c=1.7, scale=5.0 * HOUR_MS).cdf).pvalue > CHANCE


@pytest.mark.parametrize("name", ["home", "docs"])
def test_reading_times_follow_their_weibull_distribution(journeys: Journeys, navigation: Navigation, name: str):
    """Reading times are Weibull, conditioned on at most 29 minutes; those below a second last a second."""
    page = navigation.names.index(name)
    scale, shape = navigation.pages[page].dwell_seconds * 1000, VisitSettings().dwell_shape
    weibull = stats.weibull_min(shape, scale=scale)
    found = dwells(journeys)[journeys.page == page]
    below_most, at_least = weibull.cdf(MAX_DWELL_MS), weibull.cdf(1001)

    shortest = at_least / below_most
    assert abs((found == 1000).mean() - shortest) < 4 * np.sqrt(shortest * (1 - shortest) / len(found))
    longer = found[found > 1000]
    # Times are cut to whole milliseconds, which changes the distribution by much less than the test can detect.
    assert stats.kstest(longer, lambda t: (weibull.cdf(t) - at_least) / (below_most - at_least)).pvalue > CHANCE


def test_visit_counts_are_geometric(navigation: Navigation):
    """A visitor returns with the return rate after every visit, up to the maximum (chi-square), at 0 never."""
    assert (drawn(navigation, return_rate=0).n_visits == 1).all()
    rate, most = 0.6, 5
    found = drawn(navigation, return_rate=rate, max_visits=most).n_visits
    expected = np.array([(1 - rate) * rate**k for k in range(most - 1)] + [rate ** (most - 1)])
    assert found.max() == most
    assert stats.chisquare(np.bincount(found, minlength=most + 1)[1:], N * expected).pvalue > CHANCE


def test_visitors_land_as_their_channel_says(journeys: Journeys, navigation: Navigation):
    """First visits begin on the channel's landing pages, later ones on the pages for those who return (chi-square)."""
    first_page = journeys.page[journeys.first_view]
    later = VisitSettings().return_landing
    channel = (journeys.visitor % 2)[journeys.number == 1]
    first = first_page[journeys.number == 1]
    assert (first[channel == 0] == navigation.names.index("home")).all()
    for found, mix in (
        (first[channel == 1], navigation.mix({"docs": 0.25, "blog": 0.75})),
        (first_page[journeys.number > 1], navigation.mix(later)),
    ):
        counts = np.bincount(found, minlength=len(mix))
        assert not counts[mix == 0].any()
        assert stats.chisquare(counts[mix > 0], len(found) * mix[mix > 0]).pvalue > CHANCE


def test_forms_are_sent_at_their_rate_while_the_page_is_open(journeys: Journeys, navigation: Navigation):
    """Each form is sent at its rate (4 SE), after the page opened and before the next; pages without form send none."""
    sent, reading = journeys.submit_ms >= 0, dwells(journeys)
    assert (journeys.submit_ms > journeys.view_ms)[sent].all()
    assert (journeys.submit_ms < journeys.view_ms + reading)[sent].all()
    for index in np.unique(journeys.page):
        page = navigation.pages[index]
        found, rate = sent[journeys.page == index], page.form.submit_rate if page.form else 0.0
        assert abs(found.mean() - rate) <= 4 * np.sqrt(rate * (1 - rate) / len(found))


def test_a_journey_does_not_depend_on_the_other_visitors(journeys: Journeys, navigation: Navigation):
    """A visitor drawn alone does what they do among twenty thousand; a cohort without visitors is empty."""
    nobody = drawn(navigation, np.array([], dtype=int))
    assert len(nobody.page) == len(nobody.visitor) == 0
    for row in (0, 7, 19_999):
        alone = drawn(navigation, np.array([row]))
        visits = np.flatnonzero(journeys.visitor == row)
        views = np.isin(journeys.visit_of_view, visits)
        np.testing.assert_array_equal(alone.end_ms, journeys.end_ms[visits])
        for name in ("page", "view_ms", "submit_ms"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(journeys, name)[views])


def test_longer_reading_moves_no_page(journeys: Journeys, navigation: Navigation):
    """With another distribution of reading times the same visitors see the same pages (common random numbers)."""
    slower = drawn(navigation, dwell_shape=0.5)
    np.testing.assert_array_equal(slower.page, journeys.page)
    assert (slower.view_ms != journeys.view_ms).any()
