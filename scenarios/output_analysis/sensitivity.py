"""Sensitivity of a response to the factors of a study, by the indices for which its design is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from scenarios.errors import InputError
from scenarios.output_analysis.morris import morris_indices
from scenarios.output_analysis.pawn import pawn_indices
from scenarios.output_analysis.results import StudyResults
from scenarios.output_analysis.sobol import sobol_indices, sobol_interactions

_BY_DESIGN: Final[Mapping[str, tuple[Callable[[StudyResults, str], pl.DataFrame], str]]] = {
    "saltelli": (sobol_indices, "total"),
    "morris": (morris_indices, "mean_absolute"),
    "latin-hypercube": (pawn_indices, "median"),
    "sobol": (pawn_indices, "median"),
}
"""Indices of a design, and the column that says how important a factor is."""

_WIDE: Final = 0.1
"""Width of an interval of a Sobol index beyond which the reader is advised to run more."""


def ranked_indices(results: StudyResults, response: str) -> pl.DataFrame | None:
    """Return the indices of the study's design, the most important factor first; None where a design has none.

    Args:
        results: Results of the study.
        response: Name of a response.

    Returns:
        As of :func:`.sobol_indices`, :func:`.morris_indices` or :func:`.pawn_indices`.

    Raises:
        InputError: The indices of this response would be wrong.
    """
    settings = results.plan.settings
    if settings.design.kind not in _BY_DESIGN or len(results.plan.loaded.scenarios) > 1:
        return None
    indices, size = _BY_DESIGN[settings.design.kind]
    return indices(results, response).sort(size, descending=True, nulls_last=True, maintain_order=True)


def all_indices(results: StudyResults) -> pl.DataFrame:
    """Return the indices of all responses, without those that would be wrong; empty where the design has none.

    Args:
        results: Results of the study.

    Returns:
        A column ``response``, and those of :func:`ranked_indices`.
    """
    return _of_all(results, ranked_indices)


def all_interactions(results: StudyResults) -> pl.DataFrame:
    """Return the second-order indices of all responses likewise; empty where the design is not made for them.

    Args:
        results: Results of the study.

    Returns:
        A column ``response``, and those of :func:`scenarios.output_analysis.sobol.sobol_interactions`.
    """
    return _of_all(results, sobol_interactions) if results.plan.settings.design.second_order else pl.DataFrame()


def _of_all(results: StudyResults, compute: Callable[[StudyResults, str], pl.DataFrame | None]) -> pl.DataFrame:
    tables = []
    for response in results.plan.settings.responses:
        try:
            found = compute(results, response)
        except InputError:
            continue  # the report says why
        if found is not None:
            tables.append(found.select(pl.lit(response).alias("response"), pl.all()))
    return pl.concat(tables, how="vertical_relaxed") if tables else pl.DataFrame()


def index_remarks(indices: pl.DataFrame) -> list[str]:
    """Say what a reader of indices should know, in sentences without their full stops.

    Args:
        indices: As of :func:`ranked_indices`.
    """
    remarks = []
    if "total" in indices.columns:
        if indices["noise"].is_nan().all() and indices["total"].is_not_nan().any():
            remarks.append(
                "with one replication, the indices describe the response to one draw of random numbers; the intervals "
                "do not include how much another draw would change them"
            )
        widths = (indices[f"{name}_high"] - indices[f"{name}_low"] for name in ("first", "total"))
        widest = max((float(width) for each in widths for width in each if width > _WIDE), default=0.0)
        if widest:
            remarks.append(
                f"the widest interval is {widest:.2f} wide: more base samples make intervals narrower, and more "
                "replications where the noise is large"
            )
    elif indices["above_noise"].null_count():
        remarks.append("with one replication the noise is not known, so effects cannot be compared with it")
    elif not indices["above_noise"].all():
        names = ", ".join(indices.filter(~pl.col("above_noise"))["factor"])
        is_pawn = "median" in indices.columns
        same_as = "a factor without effect by so few points" if is_pawn else "noise"
        remarks.append(f"not distinguishable from {same_as}: {names}")
    return remarks
