"""Claims about the sales queue of whole simulations and of long runs: a stable one is M/M/c."""

from collections.abc import Generator
from typing import Any

import numpy as np
import polars as pl
import pytest
import simpy
from scipy import stats

from analytics.events.times import HOUR_MS
from simulator.agents.randomness import VisitorRandom
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.components.web_server import WebServer
from simulator.engine.clock import Clock
from simulator.model import Model
from simulator.sales.desk import BuyerDraws, SalesDesk
from simulator.settings.clock import ClockSettings
from simulator.settings.sales import WEEKDAYS, SalesSettings
from simulator.settings.site import SiteSettings
from simulator.settings.world import WorldSettings

Process = Generator[simpy.Event, None, None]

SKIPPED_HOURS = 36
"""What is left out at the beginning, where the queue is still near its empty start.

The relaxation time of 18 representatives at 15 Erlang is 1 / (√18 − √15)² = 7.3 demos of 45 minutes, or 5.5 hours;
after six and a half of them 0.15 % of the start is left.
"""


def erlang_c(reps: int, load: float) -> float:
    """Probability of waiting in M/M/c: from Erlang's B recursion (Cooper, *Introduction to Queueing Theory*, ch. 3)."""
    blocked = 1.0
    for servers in range(1, reps + 1):
        blocked = load * blocked / (servers + load * blocked)
    return blocked / (1 - load / reps * (1 - blocked))


def theory(reps: int, load: float) -> np.ndarray:
    """Mean wait in service times, and share of those who wait: C(1, a) = a, and C(2, 1) = 1/3."""
    assert (erlang_c(1, 0.6), erlang_c(2, 1.0)) == pytest.approx((0.6, 1 / 3))
    p_wait = erlang_c(reps, load)
    return np.array([p_wait / (reps - load), p_wait])


def figures(wait: np.ndarray) -> tuple[float, float]:
    """The same of waits in service times."""
    return float(wait.mean()), float((wait > 1e-9).mean())


def check(found: list[tuple[float, ...]], expected: np.ndarray) -> None:
    """Compare the means of independent replications with theory, within 4 standard errors.

    The error is estimated from the replications, so the bound is that of Student's distribution for the same risk.
    """
    n = len(found)
    error = np.std(found, axis=0, ddof=1) / np.sqrt(n)
    z = (np.mean(found, axis=0) - expected) / error
    print(f"wait, P(wait), utilisation: {np.mean(found, axis=0).round(4)}, theory {expected.round(4)}, z {z.round(2)}")
    assert (np.abs(z) < stats.t.ppf(stats.norm.cdf(4), df=n - 1)).all()


def replication(world: WorldSettings, seed: int) -> tuple[float, float]:
    """Figures of the requests of a simulation, but for those of its first hours and its last."""
    requests = Model(world, seed=seed).run().outcome.sales.requests
    # Who asks just before the end may not be taken up in time: leaving out only those would favour short waits.
    between = pl.col("requested_s").is_between(3600 * SKIPPED_HOURS, 3600 * (world.clock.hours - 12))
    waits = requests.filter(between)["response_minutes"]
    assert waits.null_count() == 0
    return figures(waits.to_numpy() / world.sales.response_minutes)


def always_open(sdrs: int) -> dict[str, Any]:
    """A team for all regions that never closes, with executives enough for everybody."""
    hours = {"opens": "00:00", "closes": "24:00", "weekdays": list(WEEKDAYS)}
    return {"default": {**hours, "sdrs": {"headcount": sdrs}, "account_executives": {"headcount": 1000}}}


def steady_world(hours: int) -> tuple[WorldSettings, float]:
    """A world in which requests are a steady Poisson process, and its load in Erlang.

    Everybody comes once, at any hour and day alike, and asks for themselves with the same probability of 4/5: 600
    visitors a day make 20 requests an hour, each of 45 minutes: 15 Erlang.
    """
    world = WorldSettings.model_validate(
        {
            "clock": {"hours": hours},
            "traffic": {"visitors_per_day": 600, "hourly_profile": [1.0] * 24, "weekday_weights": [1.0] * 7},
            "visits": {"return_rate": 0},
            "intent": {
                "intercept": float(np.log(4)),
                "coefficients": {},
                "interactions": {},
                "conversion_unit": "visitor",
            },
            "sales": {"teams": always_open(18), "response_minutes": 45.0},
        }
    )
    return world, 600 / 24 * 0.8 * 0.75


@pytest.mark.slow
@pytest.mark.parametrize(("n", "days"), [(10, 5), pytest.param(20, 20, marks=pytest.mark.validation)])
def test_a_stable_sales_queue_of_a_simulation_matches_erlang_c(n: int, days: int):
    """Waits behind 10 whole simulations of five days, and behind 20 of 20 days, equal Erlang C."""
    world, load = steady_world(24 * days)
    check([replication(world, days + seed) for seed in range(n)], theory(18, load))


class Watched(WebServer):
    """A web server that notes how long visitors wait until their page begins to be made, by the time of the page."""

    def start(self) -> None:
        """Nobody has waited."""
        super().start()
        self.waits: list[tuple[int, float]] = []

    def before_view(self, visitor: Visitor, page: Page) -> Process:
        """Wait for the page; the time in which it is made can be drawn again."""
        asked_ms = self.now_ms
        service = VisitorRandom(
            visitor._cohort.uniforms(f"component:{self.name}/service"), visitor._cohort.rows[visitor._row]
        )
        yield from super().before_view(visitor, page)
        made_ms = round(1000 * service.exponential(self.settings.mean_seconds))
        self.waits.append((asked_ms, (self.now_ms - asked_ms - made_ms) / 1000))


@pytest.mark.validation
@pytest.mark.parametrize(("capacity", "load"), [(1, 0.7), (2, 1.6), (4, 3.4)])
def test_a_web_server_matches_erlang_c(capacity: int, load: float):
    """Visits of one page each arrive as a Poisson process: 16 × 16 hours of 10,000 a day equal Erlang C."""
    site = SiteSettings().model_dump()
    pages = {name: {**page, "exit_rate": 1.0} for name, page in site["pages"].items()}
    flat = {"hourly_profile": [1.0] * 24, "weekday_weights": [1.0] * 7}
    world = WorldSettings.model_validate(
        {
            "clock": {"hours": 16},
            "traffic": {"visitors_per_day": 10_000, **flat},
            "visits": {"return_rate": 0.0},
            "population": {"personas": {}},
            "intent": {"target_conversion": None, "intercept": -50.0},
            "site": {**site, "pages": pages},
        }
    )
    mean_seconds, found = load * 86_400 / 10_000, []
    for seed in range(16):
        server = Watched("web", capacity=capacity, mean_seconds=mean_seconds, patience_seconds=86_400.0)
        model = Model(world, seed=seed, components=[server], sinks=[]).run()
        # Nine relaxation times at least are left out: 1 / (√c − √load)² services, of 30 s and less.
        waits = [wait for asked_ms, wait in model.components["web"].waits if asked_ms > 4 * HOUR_MS]
        found.append(figures(np.array(waits) / mean_seconds))
    check(found, theory(capacity, load))


@pytest.mark.validation
@pytest.mark.parametrize(("reps", "load"), [(1, 0.8), (2, 1.4), (5, 4.25), (14, 12.6)])
def test_long_queues_match_erlang_c(reps: int, load: float):
    """The desk alone, 20 replications of 15,000 requests each; 20 relaxation times are left out; utilisation a / c."""
    skipped = 20 / (np.sqrt(reps) - np.sqrt(load)) ** 2
    found = []
    for seed in range(20):
        rng, clock = np.random.default_rng(seed), Clock(ClockSettings())
        settings = SalesSettings.model_validate({"teams": always_open(reps), "response_minutes": 1.0})
        desk = SalesDesk(clock, settings)
        pauses, draws = rng.exponential(1 / load, 15_000).tolist(), rng.random(15_000).tolist()

        def arrive(clock: Clock, desk: SalesDesk, pauses: list[float], responses: list[float]) -> Process:
            for pause, response in zip(pauses, responses, strict=True):
                yield clock.env.timeout(minutes=pause)
                desk.request_demo("somebody", "europe", BuyerDraws(response, *[0.5] * 6))

        clock.env.run(until=clock.env.process(arrive(clock, desk, pauses, draws)))
        # Who asked just before the end has perhaps not been answered: as above, nobody's wait may decide on that.
        between = pl.col("requested_s").is_between(60 * skipped, clock.now_ms / 1000 - 60 * skipped)
        outcome = desk.outcome(clock.now_ms)
        waits = outcome.requests.filter(between)["response_minutes"]
        assert waits.null_count() == 0
        found.append((*figures(waits.to_numpy()), outcome.summary["sdr_utilisation"]))
    check(found, np.append(theory(reps, load), load / reps))
