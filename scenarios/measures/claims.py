"""Claims: what a scenario promises of its runs, as descriptions with comparisons of measures that a machine checks.

.. code-block:: yaml

    claims:
      "about 1.5 % of the visitors request a demo": 240 <= counts.demo_requests <= 380
      "the security page predicts a demo": conversion(page_group="security") > conversion()

A failed claim does not make the run fail: the cause may be the seed or the scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from scenarios.errors import UndefinedMeasureError
from scenarios.measures.definition import Parts, RunView
from scenarios.measures.expressions import Expression, ExpressionError, compared, parse_comparison, references
from scenarios.measures.registry import check_references, read_expression


@dataclass(frozen=True)
class ClaimResult:
    """Result of a claim for a run.

    Args:
        description: Text of the claim.
        expression: The comparison as written.
        passed: Whether it is true for the run; None if a measure has no value.
        values: The values compared, from left to right; None for a measure without a value.
        reason: Reason why a measure has no value.
    """

    description: str
    expression: str
    passed: bool | None
    values: tuple[float | None, ...]
    reason: str | None = None

    @property
    def numbers(self) -> str:
        """The comparison with its values, such as ``240 <= 412 <= 380``; a question mark for a missing one.

        >>> ClaimResult("demos are held", "sales.held > 0", passed=True, values=(12.0, 0.0)).numbers
        '12 > 0'
        """
        signs = _parsed(self.expression)[1]
        first, *others = (f"{value:.6g}" if value is not None else "?" for value in self.values)
        return " ".join([first, *(f"{sign} {value}" for sign, value in zip(signs, others, strict=True))])


def check_claims(claims: Mapping[str, str], run: RunView) -> tuple[ClaimResult, ...]:
    """Evaluate claims on a run.

    Args:
        claims: Comparisons by description, validated with the run's scenario or one of the same world.
        run: The run.

    Returns:
        A result for each claim, in order; also where a measure has no value in this run.

    >>> from scenarios import Scenario
    >>> run = Scenario.load("baseline", {"clock.hours": 1}).run()
    >>> check_claims({"pages are viewed": "page_views() > 0"}, run)[0].passed
    True
    """
    return tuple(_result(description, text, run) for description, text in claims.items())


def _result(description: str, text: str, run: RunView) -> ClaimResult:
    sides, signs = _parsed(text)
    values: list[float | None] = []
    reasons: list[str] = []
    for side in sides:
        try:
            values.append(read_expression(side, run))
        except UndefinedMeasureError as error:
            values.append(None)
            reasons.append(str(error))
    known = tuple(value for value in values if value is not None)
    # Without one of its values, a comparison is neither true nor false.
    passed = None if reasons else compared(known, signs)
    # Several measures may be missing for one reason, which is given once.
    return ClaimResult(description, text, passed, tuple(values), "; ".join(dict.fromkeys(reasons)) or None)


# Claims are parsed once for validation, and again for every run.
@lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[tuple[Expression, ...], tuple[str, ...]]:
    return parse_comparison(text)


def _checked(text: str, info: ValidationInfo) -> str:
    """Validate a comparison against the settings before it, as far as these are valid.

    Args:
        text: The comparison.
        info: Pydantic's, with the settings of the scenario that stand before the claims.

    Raises:
        ExpressionError: It is no comparison, names no measure, or one that the scenario cannot have.
    """
    parts: Parts = info.data
    sides, _ = _parsed(text)
    for side in sides:
        check_references(side, parts)
    if not any(True for side in sides for _ in references(side)):
        raise ExpressionError("has no measure of the run: it compares numbers with numbers")
    return text


Claims = dict[Annotated[str, Field(min_length=1)], Annotated[str, AfterValidator(_checked)]]
"""Comparisons of measures by description. In a settings model it follows the settings that claims use."""
