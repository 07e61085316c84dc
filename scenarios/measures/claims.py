"""Claims: what a scenario promises of its runs, as descriptions with comparisons of measures that a machine checks.

.. code-block:: yaml

    claims:
      "some 1.5 % of the visitors are seen to ask": 240 <= counts.demo_requests <= 380
      "the security page foretells a demo": conversion(page_group="security") > conversion()

A claim that does not hold makes no run fail: it may be the seed, and it may be the scenario.
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

__all__ = ["ClaimResult", "Claims", "check_claims"]


@dataclass(frozen=True)
class ClaimResult:
    """What a run says of a claim.

    Args:
        description: The claim in words.
        expression: The comparison as written.
        passed: Whether it is true of the run; None where a number that it needs does not exist.
        values: The numbers compared, from left to right; None for one that does not exist.
        reason: Why a number does not exist.
    """

    description: str
    expression: str
    passed: bool | None
    values: tuple[float | None, ...]
    reason: str | None = None

    @property
    def numbers(self) -> str:
        """The comparison with its numbers, such as ``240 <= 412 <= 380``."""
        signs = _parsed(self.expression)[1]
        first, *others = (f"{value:.6g}" if value is not None else "?" for value in self.values)
        return " ".join([first, *(f"{sign} {value}" for sign, value in zip(signs, others, strict=True))])


def check_claims(claims: Mapping[str, str], run: RunView) -> tuple[ClaimResult, ...]:
    """Hold a run against claims.

    Args:
        claims: Comparisons by description; they have been checked with the run's scenario, or one of the same world.
        run: The run.
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
    passed = None if reasons else compared(known, signs)
    return ClaimResult(description, text, passed, tuple(values), "; ".join(dict.fromkeys(reasons)) or None)


@lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[tuple[Expression, ...], tuple[str, ...]]:
    return parse_comparison(text)


def _checked(text: str, info: ValidationInfo) -> str:
    """Refuse what cannot be checked; the settings before this one, as far as they are valid, say what there is."""
    parts: Parts = info.data
    sides, _ = _parsed(text)
    for side in sides:
        check_references(side, parts)
    if not any(True for side in sides for _ in references(side)):
        raise ExpressionError("says nothing about the run: it compares numbers with numbers")
    return text


Claims = dict[Annotated[str, Field(min_length=1)], Annotated[str, AfterValidator(_checked)]]
"""Comparisons of measures by description. In a settings model they must stand after the settings that they speak of."""
