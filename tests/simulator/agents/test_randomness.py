"""Claims about the random numbers of visitors: found by address, whoever else is on the clock."""

import numpy as np
import pytest
from acting import Everywhere, lived
from hypothesis import given, strategies as st
from scipy import stats
from small_worlds import check_shares

from simulator.agents.plan import Plan
from simulator.agents.randomness import VisitorRandom
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools, Floats
from simulator.engine.streams import Streams

N = 4000


@given(st.integers(0, 2**63), st.text(max_size=8), st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=9))
def test_one_number_is_that_of_the_array(seed: int, source: str, addresses: list[int]):
    """Addressed one by one, numbers are the same to the last bit as in an array."""
    uniforms = Streams(seed).uniforms(source)
    assert [uniforms.one(address) for address in addresses] == uniforms.at(np.array(addresses)).tolist()


def random(row: int = 3, name: str = "x") -> VisitorRandom:
    """Random numbers of a visitor."""
    return VisitorRandom(Streams(7).uniforms(name), row)


def test_distributions_are_what_they_are_called():
    """Kolmogorov and Smirnov do not object, at a risk of 1 in 10,000 each; shares lie within 4.5 standard errors."""
    numbers = random()
    for draws, law in (
        ([numbers.uniform(2, 5) for _ in range(N)], stats.uniform(2, 3)),
        ([numbers.exponential(7.0) for _ in range(N)], stats.expon(scale=7.0)),
        ([numbers.normal(1.0, 2.0) for _ in range(N)], stats.norm(1.0, 2.0)),
    ):
        assert stats.kstest(draws, law.cdf).pvalue > 1e-4
    check_shares(np.array([numbers.chance(0.3) for _ in range(N)]).astype(int), [0.7, 0.3])
    check_shares(np.array([numbers.choice([0, 1, 2], [1.0, 0.0, 3.0]) for _ in range(N)]), [0.25, 0.0, 0.75])
    check_shares(np.array([numbers.choice([0, 1]) for _ in range(N)]), [0.5, 0.5])


@pytest.mark.parametrize("other", [(4, "x"), (3, "y")])
def test_another_visitor_or_purpose_has_other_numbers(other: tuple[int, str]):
    """Numbers of two visitors, or of two purposes of one, are unrelated (a correlation within 4.5 / √n)."""
    one, two = random(), random(*other)
    pairs = [(one.uniform(), two.uniform()) for _ in range(N)]
    assert abs(np.corrcoef(pairs, rowvar=False)[0, 1]) < 4.5 / np.sqrt(N)


class Drawing(Everywhere):
    """Compares a visitor's first number with that of the plan."""

    def touches(self, plan: Plan) -> Bools:
        """Everybody; keeps the numbers of the plan."""
        self.planned: dict[tuple[int, ...], Floats] = getattr(self, "planned", {})
        self.planned[plan._cohort.rank] = plan.uniforms("purpose")
        return plan.everybody

    def start(self) -> None:
        """Nobody has drawn yet."""
        self.drawn: dict[str, tuple[float, float, float]] = {}

    def on_visit_start(self, visitor: Visitor) -> None:
        """Draw at the first visit."""
        cohort, row = visitor._cohort, visitor._row
        if visitor.id not in self.drawn:
            numbers = self.rng(visitor, "purpose")
            planned = self.planned[cohort.cohort.rank][cohort.numbers[row]]
            self.drawn[visitor.id] = (planned, numbers.uniform(), self.rng(visitor, "purpose").uniform())


class DrawingForSome(Drawing):
    """The same for visitors of one page only."""

    def touches(self, plan: Plan) -> Bools:
        """Those of the page."""
        super().touches(plan)
        return plan.views("pricing")


def test_the_first_number_is_that_of_the_plan():
    """On the clock a component draws what it saw in arrays, then another one, the same whoever else is awake."""
    every, some = (lived(each("x"), active_agents="interacting").components["x"] for each in (Drawing, DrawingForSome))
    assert all(planned == first != second for planned, first, second in every.drawn.values())
    assert len({first for _, first, _ in every.drawn.values()}) == len(every.drawn) > len(some.drawn) > 20
    assert some.drawn.items() <= every.drawn.items()
    assert every.drawn != lived(Drawing("y")).components["y"].drawn
