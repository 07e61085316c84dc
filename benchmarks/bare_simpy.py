"""The minimum in SimPy: one process per visitor with one timeout per visit, and nothing else.

No simulation that puts every visit on SimPy's clock can be faster than this.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import simpy


def run(visits_of: Sequence[int]) -> int:
    """Wait once for each visit of each visitor; return the number of visits."""
    env = simpy.Environment()

    def visitor(n_visits: int) -> Generator[simpy.Event, None, None]:
        for _ in range(n_visits):
            yield env.timeout(1.0)

    for n_visits in visits_of:
        env.process(visitor(n_visits))
    env.run()
    return sum(visits_of)
