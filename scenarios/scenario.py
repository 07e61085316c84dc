"""The scenario: a world that can be named, changed, written down and run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from analytics import html
from scenarios.config import library
from scenarios.config.file_schema import file_schema
from scenarios.config.loading import Overrides, load, parse, with_changes
from scenarios.config.settings import ScenarioSettings
from scenarios.run.pools import ExecutorChoice, shared_pool
from scenarios.run.progress import text_bar
from scenarios.run.run import Run
from scenarios.run.running import simulate
from simulator.agents.visitor import Visitor


class Scenario(ScenarioSettings):
    """A scenario: the world to simulate, and how to analyse its events.

    It is immutable. Start from a built-in scenario, ``Scenario.load("baseline")``, and derive others with
    :meth:`replace`.
    """

    @classmethod
    def load(cls, name_or_path: str | Path, overrides: Overrides = ()) -> Self:
        """Read a scenario of the library, by name, or a scenario file, by path.

        Args:
            name_or_path: Such as ``baseline`` or ``my.yaml``.
            overrides: Settings to change, by dotted path: ``{"traffic.visitors_per_day": 10}``, or as the command
                line has them: ``["traffic.visitors_per_day=10"]``.

        Raises:
            ScenarioError: Something is wrong; with every fault and its line and column.

        >>> Scenario.load("baseline", ["traffic.visitors_per_day=10"]).traffic.visitors_per_day
        10.0
        """
        return load(cls, name_or_path, overrides)

    @classmethod
    def parse(cls, text: str, name: str = "scenario.yaml", overrides: Overrides = ()) -> Self:
        """Read a scenario from YAML text.

        Args:
            text: The content of a scenario file.
            name: Name of the text in messages.
            overrides: As for :meth:`load`.

        Raises:
            ScenarioError: Something is wrong; with every fault and its line and column.

        >>> Scenario.parse("{name: own, extends: enterprise, clock: {hours: 0}}")
        Traceback (most recent call last):
        scenarios.errors.ScenarioError: scenario.yaml:1:42: clock.hours: must be at least 1 (got 0)
        """
        return parse(cls, text, name, overrides)

    @staticmethod
    def library() -> list[str]:
        """Names of the scenarios that come with funnelsim.

        >>> "baseline" in Scenario.library()
        True
        """
        return library.library_names()

    def replace(self, changes: Mapping[str, Any] | None = None, /, **top_level: object) -> Self:
        """Return the same scenario with some settings changed.

        Args:
            changes: New values by dotted path, such as ``{"traffic.visitors_per_day": 10}``. A mapping as a value
                changes the entries it names and no others.
            top_level: New values of top-level settings, such as ``seed=8``.

        Raises:
            ScenarioError: A path or value is wrong.

        >>> Scenario.load("baseline").replace({"clock.hours": 3}, seed=8).clock.hours
        3
        """
        return with_changes(type(self), self, {**(changes or {}), **top_level})

    def run(
        self,
        seed: int | None = None,
        replication: int = 0,
        progress: Callable[[float], None] | bool | None = None,  # noqa: FBT001 - mostly a callable
        *,
        jobs: int | None = None,
        executor: ExecutorChoice = None,
        visitor: type[Visitor] = Visitor,
    ) -> Run:
        """Simulate the scenario, keeping its events in memory.

        Args:
            seed: Seed of this run; the scenario's own if not given. 0 is a seed.
            replication: Which of the independent repetitions with this seed.
            progress: Called now and then with the share of the clock that has passed, from 0 to 1; True shows a bar on
                standard error, also in a notebook.
            jobs: Workers that share the run. The result does not depend on them; they save time from about a hundred
                thousand visitors on.
            executor: What the workers are, if not processes of this machine: as for a study, or any executor of
                ``concurrent.futures``.
            visitor: Class of the agents: :class:`Visitor` or a subclass of it, which lives page by page on the clock.

        Raises:
            InputError: There is no such executor, or ``jobs`` is not 1 or more.
            ValueError: Visitors of a subclass would only be active for their decisions (``active_agents:
                interacting``).

        >>> scenario = Scenario.load("baseline", {"clock.hours": 1})
        >>> scenario.run(seed=0).digest == scenario.run(seed=0).digest != scenario.run(seed=1).digest
        True
        """
        pool = shared_pool(executor, jobs)
        if isinstance(progress, bool):
            progress = text_bar(f"Simulating {self.name}") if progress else None
        return simulate(self, seed=seed, replication=replication, progress=progress, pool=pool, visitor=visitor)

    def _repr_html_(self) -> str:
        return html.notebook_html(preformatted=self.to_yaml())


def scenario_schema() -> dict[str, Any]:
    """JSON Schema of scenario files, for editors.

    Returns:
        A schema of draft 2020-12. A file may leave out what it extends, or what has a default.

    >>> scenario_schema()["title"]
    'funnelsim scenario'
    """
    schema = file_schema(Scenario.model_json_schema(mode="validation"), "funnelsim scenario")
    schema["properties"]["extends"] = {
        "type": "string",
        "title": "Extends",
        "description": "Library scenario or file (relative to this one) that this scenario changes.",
    }
    return schema
