"""How a study is executed: the arguments that travel together from the caller to the workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scenarios.run.pools import ExecutorChoice, Pool, pool_of
from scenarios.studies.cost import StudyCost

Progress = Callable[[int, int], None]
"""Called with the number of replications that are done, and of those known to be needed."""


@dataclass(frozen=True)
class Execution:
    """How and where the replications of a study are run. No result depends on it.

    Args:
        jobs: Replications at a time; as many as there are cores if None.
        executor: The workers, as for :func:`scenarios.run.pools.pool_of`.
        progress: Called as replications finish.
        folder: Where results and the journal of finished replications go; None keeps them in memory only.
        announce: Called once with the estimated cost, when the smallest and the largest replication are done.
    """

    jobs: int | None = None
    executor: ExecutorChoice = None
    progress: Progress | None = None
    folder: str | Path | None = None
    announce: Callable[[StudyCost], None] | None = None

    @cached_property
    def pool(self) -> Pool:
        """The workers.

        Raises:
            InputError: There is no such executor, or ``jobs`` is not a whole number of 1 or more.
        """
        return pool_of(self.executor, self.jobs)
