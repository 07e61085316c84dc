"""One replication of a study: a scenario is run once and its responses are read. Failures are data, not errors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from analytics.store.history import EventHistory
from scenarios.errors import UndefinedMeasureError
from scenarios.measures.expressions import Reference, references
from scenarios.measures.registry import Measure, needs_events
from scenarios.measures.window import WHOLE, Window
from scenarios.run.run import Run, Timings
from scenarios.run.sinks import Batches, StoreSink
from scenarios.scenario import Scenario
from simulator.model import Model
from simulator.settings.class_identity import ClassIdentity, require_same
from simulator.tracking.delivery import CollectingSink

Function = Callable[[Run], float]
"""A response that is a Python function, in a notebook."""


@dataclass(frozen=True)
class Replication:
    """A replication to be run.

    Args:
        key: Digest of everything it depends on except its number: equal keys have equal results.
        number: Number of the replication among those of its seed.
        scenario: What to run.
        seed: Seed of the run.
        responses: Expressions of the responses, by name.
        functions: Responses that are Python functions, by name.
        window: The hours that responses cover.
        classes: Identities of the classes that the scenario names, by their places in it.
    """

    key: str
    number: int
    scenario: Scenario
    seed: int
    responses: Mapping[str, str]
    functions: Mapping[str, Function] = field(default_factory=dict)
    window: Window = WHOLE
    classes: Mapping[str, ClassIdentity] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """Something that went wrong in a replication.

    Args:
        stage: Which step failed: ``settings``, ``simulate``, ``read`` a response, or ``worker`` where its process
            ended.
        message: What happened.
        responses: The responses without a value for this reason; empty where there is no run at all.
    """

    stage: str
    message: str
    responses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Replicated:
    """The result of a replication.

    Args:
        key: That of the replication.
        number: That of the replication.
        values: A number for each response, in order; None where there is none.
        failures: What went wrong.
    """

    key: str
    number: int
    values: tuple[float | None, ...]
    failures: tuple[Failure, ...] = ()

    @classmethod
    def failed(cls, replication: Replication, failure: Failure) -> Replicated:
        """Return the result of a replication that has no run.

        Args:
            replication: The replication.
            failure: Why there is no run.

        Returns:
            A result with None for each response.
        """
        n_responses = len(replication.responses) + len(replication.functions)
        return cls(replication.key, replication.number, (None,) * n_responses, (failure,))


def replicate(replication: Replication) -> Replicated:
    """Run a replication. What goes wrong is part of the result, and is never raised.

    Args:
        replication: The replication to run.

    Returns:
        A value or None for each response, and the failures.
    """
    try:
        run = light_run(replication)
    except BaseException as error:  # noqa: BLE001 - a panic of Polars is not even an Exception
        return Replicated.failed(replication, Failure("simulate", _describe(error)))
    values: list[float | None] = []
    unread: dict[str, list[str]] = {}
    for name, read in _readers(replication).items():
        value, reason = _read(read, run)
        values.append(value)
        if value is None:
            unread.setdefault(reason, []).append(name)
    # Where the model cannot be fitted, a hundred responses are missing for one reason.
    failures = tuple(Failure("read", reason, tuple(names)) for reason, names in unread.items())
    return Replicated(replication.key, replication.number, tuple(values), failures)


def light_run(replication: Replication) -> Run:
    """Run a scenario for its responses alone.

    The events are those of any other run of the scenario with this seed and replication, but they are not kept in the
    order of arrival and have no digest, and the store takes them in only if a response is about them.

    Args:
        replication: The replication to run.

    Raises:
        ComponentError: A class that the scenario names is missing or different in this process.
    """
    # First of all: the scenario imports its classes when it is used.
    require_same(replication.classes)
    scenario = replication.scenario
    # The events are the same as with all visitors on the clock, in half the time.
    active_agents = "interacting" if scenario.active_agents == "auto" else scenario.active_agents
    # In memory: a study keeps no events, and its worlds are small.
    accepted = EventHistory()
    sinks = [Batches([StoreSink(accepted.store)])] if _needs_events(replication) else []
    started_at, began = datetime.now(UTC), time.perf_counter()
    model = Model(
        scenario.world,
        seed=replication.seed,
        replication=replication.number,
        active_agents=active_agents,
        sinks=sinks,
    ).run()
    return Run(
        scenario,
        seed=replication.seed,
        replication=replication.number,
        active_agents=model.active_agents,
        outcome=model.outcome,
        # Never written to: nothing asks a light run for its events in order of arrival.
        record=CollectingSink(),
        accepted=accepted,
        digest="",
        timings=Timings(started_at, time.perf_counter() - began),
        window=replication.window,
        classes=model.classes,
    )


def _describe(error: BaseException) -> str:
    """Describe an exception; one that ends the process, such as Ctrl-C, is raised again."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        raise error
    return f"{type(error).__name__}: {error}"


def _readers(replication: Replication) -> dict[str, Measure | Function]:
    return {**{name: _measure(text) for name, text in replication.responses.items()}, **replication.functions}


def _read(read: Measure | Function, run: Run) -> tuple[float | None, str]:
    """Read a response: the number, or None and the reason.

    Args:
        read: The expression or Python function of the response.
        run: The run.
    """
    try:
        value = read.read(run) if isinstance(read, Measure) else float(read(run))
    except UndefinedMeasureError as error:
        return None, str(error)
    except BaseException as error:  # noqa: BLE001 - as above
        return None, _describe(error)
    if not math.isfinite(value):
        return None, f"is {value}, which is not a finite number"
    return value, ""


def references_of(replication: Replication) -> Iterator[Reference]:
    """Yield what the expressions of a replication refer to; Python functions are not inspected.

    Args:
        replication: The replication.
    """
    return (each for text in replication.responses.values() for each in references(_measure(text).expression))


def _needs_events(replication: Replication) -> bool:
    """Whether any response needs the events; a Python function is assumed to."""
    return bool(replication.functions) or any(map(needs_events, references_of(replication)))


@lru_cache(maxsize=4096)
def _measure(text: str) -> Measure:
    return Measure.parse(text)
