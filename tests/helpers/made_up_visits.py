"""Visit tables whose true coefficients are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from analytics.logit.design import design_matrix


def visits_of(
    columns: Mapping[str, Any],
    truth: Mapping[str, float],
    rng: np.random.Generator,
    *,
    per_account: int = 5,
    unobserved: np.ndarray | float = 0.0,
) -> pl.DataFrame:
    """Visits of as many visitors, all at risk and over, of which those that end in a request are drawn.

    Args:
        columns: The signals of the visits.
        truth: The coefficient of each term of their log-odds.
        rng: Draws the requests.
        per_account: Visitors of each account.
        unobserved: What else adds to the log-odds of each visit.
    """
    number = pl.int_range(pl.len())
    table = pl.DataFrame(columns).with_columns(
        anonymous_id=pl.format("v{}", number),
        account=pl.format("a{}", number // per_account),
        at_risk=pl.lit(value=True),
        censored=pl.lit(value=False),
    )
    p = expit(design_matrix(table, list(truth)) @ np.array(list(truth.values())) + unobserved)
    return table.with_columns(requested_demo=pl.Series(rng.random(table.height) < p))
