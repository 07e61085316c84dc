"""Visit tables whose true coefficients are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
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


def visits_until_request(
    rng: np.random.Generator,
    n_visitors: int,
    log_odds: Callable[[int, np.ndarray], np.ndarray | float],
    *,
    p_return: float = 0.6,
    per_account: int = 4,
    account_sd: float = 0.0,
) -> pl.DataFrame:
    """Visits of visitors who come back by chance until they request a demo, all at risk and over, a day apart.

    Each visitor has or has not seen the docs, half of them in every visit and the others in none, and belongs to an
    account with a normal random effect.

    Args:
        rng: Draws all.
        n_visitors: Visitors, each with one visit at least and 12 at most.
        log_odds: Those of a request, of the number of the visit and of whether each visitor has seen the docs.
        p_return: Probability of a further visit after one without a request.
        per_account: Visitors of each account.
        account_sd: Standard deviation of the accounts' effects.
    """
    number = np.arange(n_visitors)
    docs, effect = rng.random(n_visitors) < 0.5, account_sd * rng.normal(size=n_visitors // per_account + 1)
    here, tables = number, []
    for visit in range(1, 13):
        odds = log_odds(visit, docs[here]) + effect[here // per_account]
        requested = rng.random(len(here)) < expit(odds)
        rows = {"visitor": here, "visit": visit, "docs": docs[here], "requested_demo": requested}
        tables.append(pl.DataFrame(rows, schema_overrides={"visit": pl.UInt32}))
        here = here[~requested & (rng.random(len(here)) < p_return)]
    begin = pl.lit(datetime(2026, 3, 3, tzinfo=UTC))
    return pl.concat(tables).with_columns(
        anonymous_id=pl.format("v{}", "visitor"),
        account=pl.format("a{}", pl.col("visitor") // per_account),
        started_at=begin + pl.duration(days=pl.col("visit") - 1, hours=pl.col("visitor") % 24),
        at_risk=pl.lit(value=True),
        censored=pl.lit(value=False),
    )
