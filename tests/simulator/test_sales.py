"""Claims about the sales team as a queue."""

import itertools
from collections.abc import Generator
from heapq import heapreplace
from typing import Any

import numpy as np
import polars as pl
import pytest
import simpy
from pydantic import ValidationError
from scipy import stats

from simulator.sales import DemoRequest, SalesDesk, SalesOutcome, SalesSettings


def serve(
    reps: int,
    arrivals_min: list[float] | np.ndarray,
    demos_min: list[float] | np.ndarray,
    until_min: float | None = None,
) -> SalesOutcome:
    """Let a team serve requests that arrive at these minutes and take this long."""
    env = simpy.Environment()
    desk = SalesDesk(env, SalesSettings(reps=reps))

    def arrive() -> Generator[simpy.Event, None, None]:
        for number, (at, length) in enumerate(zip(arrivals_min, demos_min, strict=True)):
            yield env.timeout(60 * at - env.now)
            desk.request_demo(str(number), length)

    env.process(arrive())
    env.run(until=None if until_min is None else 60 * until_min)
    return desk.outcome(env.now)


def minutes(outcome: SalesOutcome, column: str) -> list[float | None]:
    """A column of the requests, in minutes."""
    return (outcome.requests[column] / 60).to_list()


def erlang_c(reps: int, load: float) -> float:
    """Probability of waiting in M/M/c: from Erlang's B recursion (Cooper, *Introduction to Queueing Theory*, ch. 3)."""
    blocked = 1.0
    for servers in range(1, reps + 1):
        blocked = load * blocked / (servers + load * blocked)
    return blocked / (1 - load / reps * (1 - blocked))


def test_one_representative_serves_in_order():
    """Requests at minutes 0, 1 and 25, demos of 10, 5 and 20: begun at 0, 10 and 25."""
    outcome = serve(1, [0, 1, 25], [10, 5, 20])
    assert minutes(outcome, "started_s") == [0, 10, 25]
    assert minutes(outcome, "held_s") == [10, 15, 45]
    assert outcome.requests["wait_minutes"].to_list() == [0, 9, 0]


def test_two_representatives_share_the_work():
    """The third of three at once waits for the first who is free."""
    assert minutes(serve(2, [0, 0, 0], [10, 4, 5]), "started_s") == [0, 0, 4]


def test_the_summary_is_that_of_the_requests():
    """Counts, waits and utilisation of a case small enough to work out by hand."""
    outcome = serve(1, [0, 5, 12, 13], [10, 10, 10, 10], until_min=25)
    assert outcome.summary["requests"] == 4
    assert outcome.summary["started"] == 3
    assert outcome.summary["held"] == 2
    assert outcome.summary["wait_minutes_mean"] == pytest.approx((0 + 5 + 8) / 3)
    assert outcome.summary["wait_minutes_p90"] == pytest.approx(np.quantile([0, 5, 8], 0.9))
    assert outcome.summary["utilisation"] == pytest.approx(1.0)
    assert serve(2, [0, 5], [10, 10], until_min=20).summary["utilisation"] == pytest.approx(20 / 40)


def test_a_demo_that_outlasts_the_clock_counts_up_to_its_end():
    """Of a demo of 60 minutes begun 10 minutes before the end, 10 minutes are busy time, and it is not held."""
    outcome = serve(1, [30], [60], until_min=40)
    assert outcome.summary["utilisation"] == pytest.approx(10 / 40)
    assert outcome.requests["held_s"].to_list() == [None]


def test_no_requests_are_no_waits():
    """Without requests there is no mean wait, rather than one of 0."""
    outcome = serve(3, [], [], until_min=60)
    assert outcome.summary == {
        "requests": 0,
        "started": 0,
        "held": 0,
        "wait_minutes_mean": None,
        "wait_minutes_p90": None,
        "utilisation": 0.0,
    }
    assert outcome.requests.schema["wait_minutes"] == pl.Float64


def test_whoever_asks_is_told_when_the_demo_is_over():
    """The callback comes once, at the end of the demo, with the request."""
    env, told = simpy.Environment(), []

    def note(request: DemoRequest) -> None:
        told.append((env.now, request.visitor, request.held_s))

    SalesDesk(env, SalesSettings(reps=1)).request_demo("ann", 2.0, note)
    env.run()
    assert told == [(120.0, "ann", 120.0)]


def queue(seed: int, reps: int, load: float, n: int) -> SalesOutcome:
    """One replication of M/M/c with demos of 1 minute on average; ``load`` is in Erlang."""
    rng = np.random.default_rng(seed)
    return serve(reps, np.cumsum(rng.exponential(1 / load, n)), rng.exponential(1.0, n))


@pytest.mark.parametrize(("reps", "load"), [(1, 0.9), (3, 2.8), (20, 19.0)])
def test_waits_are_those_of_a_reckoning_without_a_clock(reps: int, load: float):
    """Each wait is that of the recursion: a request goes to the representative who is free first, in order."""
    rng = np.random.default_rng(9)
    arrivals, demos = np.cumsum(rng.exponential(1 / load, 3000)), rng.exponential(1.0, 3000)
    free, waits = [0.0] * reps, []
    for at, length in zip(arrivals.tolist(), demos.tolist(), strict=True):
        begins = max(at, free[0])
        waits.append(begins - at)
        heapreplace(free, begins + length)
    # Sums of some 3,000 numbers, once in seconds and once in minutes, differ by their rounding.
    np.testing.assert_allclose(serve(reps, arrivals, demos).requests["wait_minutes"], waits, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_first_come_first_served(seed: int):
    """Nobody is taken up before one who asked earlier."""
    started = queue(seed, 3, 2.8, 2000).requests["started_s"].to_numpy()
    assert (np.diff(started) >= 0).all()


def test_more_representatives_make_nobody_wait_longer():
    """With the same requests and the same demos, each wait is no longer with one more representative."""
    waits = [queue(4, reps, 2.8, 3000).requests["wait_minutes"].to_numpy() for reps in (2, 3, 4, 6)]
    for fewer, more in itertools.pairwise(waits):
        assert (more <= fewer + 1e-9).all()
    means = [wait.mean() for wait in waits]
    assert means == sorted(means, reverse=True)
    assert means[0] > means[-1]


def test_longer_demos_make_nobody_wait_less():
    """With demos a tenth longer no wait is shorter."""
    rng = np.random.default_rng(8)
    arrivals, demos = np.cumsum(rng.exponential(0.5, 3000)), rng.exponential(1.0, 3000)
    shorter, longer = (serve(3, arrivals, factor * demos).requests["wait_minutes"].to_numpy() for factor in (1, 1.1))
    assert (longer >= shorter - 1e-9).all()


@pytest.mark.parametrize(("reps", "load"), [(1, 0.6), (3, 2.1)])
def test_a_stable_queue_matches_erlang_c(reps: int, load: float):
    """Waits, share of those who wait, and utilisation equal theory within 4 standard errors over 10 replications.

    P(wait) = C(c, a), mean wait = C / (c − a) service times, utilisation = a / c. Each replication starts empty; what
    comes before 20 relaxation times, 1 / (√c − √a)² service times each, is left out.
    """
    skipped = 20 / (np.sqrt(reps) - np.sqrt(load)) ** 2
    found = []
    for seed in range(10):
        outcome = queue(100 + seed, reps, load, 4000)
        requests = outcome.requests.filter(pl.col("requested_s") > 60 * skipped)
        wait = requests["wait_minutes"].to_numpy()
        found.append((wait.mean(), (wait > 1e-9).mean(), outcome.summary["utilisation"]))
    p_wait = erlang_c(reps, load)
    theory = np.array([p_wait / (reps - load), p_wait, load / reps])
    # 4 standard errors of a normal, said of Student's distribution, as the error itself is estimated from ten.
    bound = stats.t.ppf(stats.norm.cdf(4), df=9)
    error = np.std(found, axis=0, ddof=1) / np.sqrt(10)
    assert (np.abs(np.mean(found, axis=0) - theory) < bound * error).all()


def test_erlangs_formula_is_right_where_it_is_known():
    """C(1, a) = a, and C(2, 1) = 1/3."""
    assert erlang_c(1, 0.6) == pytest.approx(0.6)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "settings", [{"reps": 0}, {"reps": 2.5}, {"demo_minutes": 0}, {"demo_minutes": "45"}, {"rep": 1}]
)
def test_impossible_teams_are_refused(settings: dict[str, Any]):
    """A team has at least one representative, and a demo some length."""
    with pytest.raises(ValidationError):
        SalesSettings.model_validate(settings)
