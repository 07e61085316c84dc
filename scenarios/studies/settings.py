"""Settings of a study: the scenario, its factors and design, the number of replications, and the responses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from analytics.settings import EstimatorName
from analytics.signals.definitions import current_term
from scenarios.measures.window import Window
from scenarios.studies.precision import PrecisionSettings
from simulator.settings.base import Count, Positive, Real, Settings

FactorValue = bool | int | float | str
"""A value of a factor."""

_WholeNumbers = tuple[int, int]  # named outside the model, in which int is a field


class Factor(Settings):
    """The values of one varied setting of the scenario: a list, or a range; exactly one of the kinds.

    A file may write a bare list for ``categorical``, and ``boolean`` for the values false and true.

    Args:
        categorical: The values themselves, two or more.
        uniform: Lowest and highest number; uniformly distributed between them.
        loguniform: Lowest and highest number, both positive; the logarithm is uniformly distributed.
        int: Lowest and highest whole number, both included.
    """

    renamed: ClassVar = {"choice": "categorical", "real": "uniform", "log": "loguniform", "integer": "int"}

    categorical: Annotated[tuple[FactorValue, ...], Field(min_length=2)] | None = None
    uniform: tuple[Real, Real] | None = None
    loguniform: tuple[Positive, Positive] | None = None
    int: _WholeNumbers | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of categorical, uniform, loguniform, int (got {', '.join(given) or 'none'})"
            )
        bounds = self.uniform or self.loguniform or self.int
        if bounds is not None and not bounds[0] < bounds[1]:
            raise ValueError(f"{given[0]}: the first number must be below the second (got {list(bounds)})")
        # By repr, because 1, 1.0 and True are equal in Python and different in a settings file.
        if self.categorical is not None and len(set(map(repr, self.categorical))) < len(self.categorical):
            raise ValueError("categorical: holds a value twice")
        return self

    @property
    def levels(self) -> tuple[FactorValue, ...]:
        """Levels of the factor in a design of levels: the categories, or the two ends of a range."""
        if self.categorical is not None:
            return self.categorical
        return tuple(self.uniform or self.loguniform or self.int or ())

    @property
    def unit(self) -> tuple[str, float]:
        """Unit in which an effect is stated in values, and how much of the range it is.

        A number changes by 1, one of ``loguniform`` by a factor of 2, and what is no number to another category.

        >>> Factor(uniform=(10.0, 20.0)).unit, Factor(categorical=(False, True)).unit
        (('+1', 0.1), ('False → True', 1.0))
        """
        if self.loguniform is not None:
            return "×2", math.log(2) / math.log(self.loguniform[1] / self.loguniform[0])
        if self.categorical is not None and any(isinstance(value, str | bool) for value in self.categorical):
            if len(self.categorical) > 2:  # noqa: PLR2004 - steps lead to different ones
                return "another value", 1.0
            # A step is positive from false to true, and from the first text to the second.
            is_text = any(isinstance(value, str) for value in self.categorical)
            return " → ".join(map(str, self.categorical if is_text else sorted(self.categorical))), 1.0
        low, *_, high = sorted(map(float, self.levels))
        return "+1", 1 / (high - low)

    def at(self, share: float) -> FactorValue:
        """Return a quantile of the factor.

        Args:
            share: Probability of a smaller value, from 0 to 1.

        >>> Factor(uniform=(10.0, 20.0)).at(0.25)
        12.5
        """
        if self.uniform is not None:
            return self.uniform[0] + share * (self.uniform[1] - self.uniform[0])
        if self.loguniform is not None:
            low, high = map(math.log, self.loguniform)
            # Rounding of exp and log may leave the range by one unit in the last place.
            return min(max(math.exp(low + share * (high - low)), self.loguniform[0]), self.loguniform[1])
        if self.int is not None:
            first, last = self.int
            # A share of exactly 1 would be one above the range.
            return min(first + int(share * (last - first + 1)), last)
        values = self.categorical or ()
        # A share of exactly 1 would be past the last category.
        return values[min(int(share * len(values)), len(values) - 1)]

    def step(self, before: float, after: float) -> float:
        """Return the step between two quantiles, as a share of the factor's range: what was moved, not what was meant.

        Args:
            before: Share at which the step begins.
            after: Share at which it ends.

        Returns:
            A share from -1 to 1: of the logarithm for ``loguniform``; 1 or -1 from one category to another that is
            no number.

        >>> Factor(int=(1, 3)).step(1 / 3, 1.0), Factor(categorical=("a", "b", "c")).step(1 / 3, 1.0)
        (0.5, 1.0)
        """
        values = self.int or self.categorical
        if values is None:
            return after - before
        if any(isinstance(value, str) for value in values):
            return math.copysign(1.0, after - before)
        span = max(map(float, values)) - min(map(float, values))
        return (float(self.at(after)) - float(self.at(before))) / span


def _as_factor(value: object) -> object:
    if value == "boolean":
        return {"categorical": (False, True)}
    kinds = {"categorical": value} if isinstance(value, list | tuple) else value
    if not isinstance(kinds, Mapping):
        return value
    # After a validator of our own, strict pydantic no longer accepts a list for a tuple.
    return {kind: tuple(inner) if isinstance(inner, list) else inner for kind, inner in kinds.items()}


AnyFactor = Annotated[
    Factor,
    BeforeValidator(_as_factor, json_schema_input_type=Factor | tuple[FactorValue, ...] | Literal["boolean"]),
]
"""A factor as a file writes it."""

# Indices have bootstrap intervals over the samples. Of 4 base samples there are 35 different resamples, so the ends of
# a 95 % interval would be the least and the largest of them; of 8 there are 6,435, and the variance in the denominator
# is that of 16 points. Elementary effects have no such denominator: Morris (1991) has 4 trajectories, and A. Saltelli
# et al., Global Sensitivity Analysis (Wiley 2008), chapter 3, advise 4 to 10.
_LEAST_SAMPLES: Final = {"saltelli": 8, "morris": 4}

DesignKind = Literal["one-at-a-time", "full-factorial", "latin-hypercube", "sobol", "morris", "saltelli"]


class DesignSettings(Settings):
    """Which combinations of the factors are run. A file may give the kind only.

    Args:
        kind: ``one-at-a-time`` (the unchanged scenario, and each level of each factor by itself), ``full-factorial``
            (all combinations of levels), ``latin-hypercube``, ``sobol`` (a scrambled Sobol sequence), ``morris``
            (trajectories that change one factor per step) or ``saltelli`` (for Sobol indices).
        samples: Points of ``latin-hypercube`` and ``sobol``, trajectories of ``morris``, base samples N of ``saltelli``
            (which runs factors + 2 points for each); the last, and those of ``sobol``, a power of 2. At least 4
            for ``morris`` and 8 for ``saltelli``: of fewer the intervals mean nothing.
        second_order: Whether ``saltelli`` runs 2 × factors + 2 points for each base sample, for the second-order
            indices of pairs of factors too.
    """

    renamed: ClassVar = {"points": "samples"}

    kind: DesignKind = "full-factorial"
    samples: Annotated[Count, Field(le=1_000_000)] | None = None
    second_order: bool = False

    @model_validator(mode="after")
    def _points_where_they_mean_something(self) -> Self:
        counted = self.kind not in {"one-at-a-time", "full-factorial"}
        if counted != (self.samples is not None):
            raise ValueError(
                f"{self.kind} needs samples"
                if counted
                else f"samples: {self.kind} runs all combinations and takes none"
            )
        if self.kind in {"sobol", "saltelli"} and self.samples is not None and self.samples & (self.samples - 1):
            raise ValueError(f"samples: must be a power of 2, or the sequence is not balanced (got {self.samples})")
        if self.second_order and self.kind != "saltelli":
            raise ValueError(f"second_order: needs the kind saltelli (got {self.kind})")
        least = _LEAST_SAMPLES.get(self.kind, 1)
        if self.samples is not None and self.samples < least:
            raise ValueError(f"samples: {self.kind} needs at least {least}; of fewer, intervals mean nothing")
        return self


def _as_design(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


AnyDesign = Annotated[DesignSettings, BeforeValidator(_as_design, json_schema_input_type=DesignSettings | DesignKind)]
"""A design as a file writes it."""

ScenarioSource = str | dict[str, Any]
"""A scenario by name, by path (from the study's file), or written out."""


class StudySettings(Settings):
    """A study: a scenario, what varies, how often it is run, and what is recorded.

    Args:
        name: Name of the study: small letters, digits and hyphens.
        description: The question it answers.
        scenario: The scenario to run: the name of a built-in one, a path relative to this file, or the scenario itself.
        scenarios: Several scenarios instead of one; every design point is run in each.
        plugins: Modules of your own whose classes the scenarios name: names, or files beside the study such as
            ``my_components.py``. Their code is run, and the file itself permits it: read the study of somebody else,
            and these modules, before you run it.
        overrides: Settings of the scenario to change in all runs, by dotted path.
        factors: What is varied: dotted path of a setting, and its values.
        design: Which combinations of the factors are run.
        replications: How often each point is run: a number, or until responses reach a target precision.
        seed: The source of all randomness. Replication r of every point has this seed and the number r, so it has the
            same random numbers at every point (common random numbers).
        common_random_numbers: Whether points share random numbers; if not, those of every run are independent.
        responses: Numbers recorded for each run: expressions of measures, as in claims, by name.
        warm_up_hours: Hours at the beginning that responses leave out, because there are no returning visitors yet.
        cool_down_hours: Hours at the end that responses leave out; outcomes of earlier requests still count.
        estimates: Terms of the intent model whose estimates are responses too: ``all``, or their names. Each has
            coefficient, standard errors, p-value, 95 % interval, true coefficient and whether the interval covers it.
        estimators: Estimators of these, side by side in every replication, such as ``[ml, firth, weighted]``; that of
            the scenario's settings only, unless given. See :data:`analytics.intent.estimators.ESTIMATORS`.
    """

    renamed: ClassVar = {"set": "overrides"}

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
    description: str = ""
    scenario: ScenarioSource | None = None
    scenarios: Annotated[tuple[ScenarioSource, ...], Field(min_length=1)] | None = None
    plugins: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    overrides: dict[str, Any] = Field(default_factory=dict)
    factors: dict[str, AnyFactor] = Field(default_factory=dict)
    design: AnyDesign = DesignSettings()
    replications: Annotated[Count, Field(le=1_000_000)] | PrecisionSettings = 20
    seed: Annotated[int, Field(ge=0)] = 7
    common_random_numbers: bool = True
    responses: dict[Annotated[str, Field(min_length=1)], str] = Field(default_factory=dict)
    warm_up_hours: Annotated[int, Field(ge=0)] = 0
    cool_down_hours: Annotated[int, Field(ge=0)] = 0
    estimates: Literal["all"] | tuple[Annotated[str, AfterValidator(current_term)], ...] = ()
    estimators: tuple[EstimatorName, ...] = ()

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if (self.scenario is None) == (self.scenarios is None):
            raise ValueError("scenario: give a scenario, or several as scenarios")
        if not self.responses and not self.estimates:
            raise ValueError("responses: is empty; nothing would be read off the runs (nor are there estimates)")
        if self.estimators and not self.estimates:
            raise ValueError("estimators: need estimates, the terms of which they are to estimate")
        if len(set(self.estimators)) < len(self.estimators):
            raise ValueError(f"estimators: one is given twice (got {', '.join(self.estimators)})")
        if not self.factors and self.design != DesignSettings():
            raise ValueError(f"design: {self.design.kind} needs factors")
        return self

    @property
    def window(self) -> Window:
        """The hours that responses cover."""
        return Window(self.warm_up_hours, self.cool_down_hours)

    @property
    def sources(self) -> tuple[ScenarioSource, ...]:
        """The scenarios, however many."""
        return self.scenarios or ((self.scenario,) if self.scenario is not None else ())
