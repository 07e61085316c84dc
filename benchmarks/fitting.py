"""The intent model against a bare logit of statsmodels on the same numbers, in visits a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl
from statsmodels.discrete.discrete_model import Logit

from analytics.intent.model import IntentModel
from analytics.logit.design import design_matrix, prepare
from analytics.logit.eligibility import eligible_visits
from analytics.logit.likelihood import maximise
from analytics.signals.definitions import SIGNALS, EverSeen, Signal
from benchmarks.measuring import Comparison, Subject
from benchmarks.world import busy_day

_BARE: Final = "statsmodels' Logit, clustered errors"
_FIT: Final = "IntentModel.fit, with all its checks and effects"
_MAXIMUM: Final = "the same fit on collapsed patterns"
_YES_OR_NO: Final = [signal for signal in SIGNALS if isinstance(signal, EverSeen)]


def _compared(signals: Sequence[Signal], *, whole: bool) -> Mapping[str, Subject]:
    """Statsmodels on the model's own matrix, and the whole model or its likelihood alone."""
    _, outcome = busy_day()
    model, visits = IntentModel(signals), outcome.visits
    names = [signal.name for signal in signals]
    eligible = eligible_visits(visits, names)
    design = prepare(eligible, names, model.interactions)
    matrix = design_matrix(eligible, design.terms)
    name = pl.coalesce("account", "anonymous_id")
    groups = eligible.select(name.rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()

    def bare() -> int:
        Logit(design.outcome, matrix).fit(disp=0, cov_type="cluster", cov_kwds={"groups": groups})
        return eligible.height

    def fit() -> int:
        model.fit(visits)
        return eligible.height

    def likelihood() -> int:
        maximise(design, groups)
        return eligible.height

    return {_BARE: bare, _FIT: fit} if whole else {_BARE: bare, _MAXIMUM: likelihood}


ALL_SIGNALS: Final = Comparison(
    "logit", "Intent model with session length", "visits", lambda: _compared(SIGNALS, whole=True), {_FIT: 1 / 1.1}
)
DISCRETE: Final = Comparison(
    "logit-discrete", "Intent model, binary signals only", "visits", lambda: _compared(_YES_OR_NO, whole=True)
)
LIKELIHOOD: Final = Comparison(
    "logit-collapsed",
    "Maximum-likelihood fit, binary signals only",
    "visits",
    lambda: _compared(_YES_OR_NO, whole=False),
    {_MAXIMUM: 20.0},
)
