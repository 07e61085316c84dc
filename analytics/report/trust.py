"""The report's parts on how far to trust the intent model: its quality, forms of session length, other analyses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analytics.charts.model import calibration_chart, session_length_chart
from analytics.errors import IntentModelError
from analytics.intent.session_length import SessionForm
from analytics.report.html import Html, decimal, element, figure, join, number_table, p_value, percent
from analytics.report.wording import term_name

if TYPE_CHECKING:
    from analytics.intent.naive_analyses import NaiveComparison
    from analytics.intent.results import IntentResults
    from analytics.intent.session_length import SessionLengthComparison

__all__ = ["analyses_section", "clustering_note", "session_section", "trust_table"]

_NONE: Final = "–"
_OTHER_FORMS: Final[tuple[SessionForm, ...]] = ("spline", "over 15 minutes")


_NOTICEABLE: Final = 1.1
"""Factor between standard errors from which on intervals without it cover noticeably less: 92.5 % for 95 %."""


def clustering_note(results: IntentResults) -> Html:
    """Say what clustering by account does to the standard errors; nothing where visits count as independent.

    Args:
        results: The fitted model.
    """
    if results.basis.clusters is None:
        return Html("")
    errors = dict(zip(results.terms, results.coefficients["standard_error"], strict=True))
    ratios = {term: errors[term] / naive for term, naive in results.nonrobust_standard_error.items()}
    widest = max(ratios, key=lambda term: ratios[term])
    told = (
        "People of one company may be alike in what no event tells, and standard errors clustered by account allow for "
        f"it: they are {decimal(min(ratios.values()))} to {decimal(ratios[widest])} times the naive ones that take all "
        f"visits for independent, most for {term_name(widest)}. "
    )
    if ratios[widest] < _NOTICEABLE:
        return element("p", f"{told}Here both say much the same.", class_="soft")
    told += (
        "Naive intervals would be too narrow and miss too often. Where companies do differ unseen, the model estimates "
        "effects averaged over them, nearer to 0 than those within any one company: where accounts are many clustered "
        "intervals cover these averages, naive ones do not"
    )
    known = results.coefficients["true_coefficient"].is_not_null().any()
    told += ", and neither need cover the truth shown, which holds within a company." if known else "."
    return element("p", told, class_="soft")


def trust_table(results: IntentResults) -> Html:
    """Lay out what tells how good the model is: on visits of accounts that it has not seen, and of its terms.

    Args:
        results: The fitted model, with at least one term.
    """
    rows = [*_out_of_fold(results), ("Tjur's R², in sample", decimal(results.tjur_r2, 3), "1 would foretell all")]
    rows.append(("events per variable", decimal(results.events_per_variable, 1), "10 are a rule of thumb"))
    inflation = results.diagnostics.drop_nulls("vif").sort("vif", descending=True)
    worst = inflation.row(0, named=True)
    note = f"of {term_name(worst['signal'])}; above 10 its effect can hardly be told from those of others"
    rows.append(("greatest variance inflation", decimal(worst["vif"], 1), note))
    rows.append(_joint(results))
    caption = (
        "Quality of the model; out of fold each account is predicted by a fit on the other accounts, in five parts"
    )
    table = number_table(["measure", "value", "to compare with"], rows, caption, n_notes=1)
    return join([element("h3", "How far to trust it"), table, _calibration(results)])


def _calibration(results: IntentResults) -> Html:
    """Show what was foretold beside what happened, or nothing where that cannot be told."""
    try:
        table = results.out_of_fold.calibration
    except IntentModelError:
        return Html("")
    caption = (
        "Calibration: visits in groups of rising prediction, each with a tenth of all requests foretold, and the share "
        f"of them that asked, with its {100 * results.level:g}% interval (Wilson). On the dashed line the two agree; "
        "the axes run as square roots."
    )
    told = [f"{percent(row['predicted'])} foretold, {percent(row['share'])} asked" for row in table.to_dicts()]
    return figure(calibration_chart(table), "calibration", caption, f"Calibration: {'; '.join(told)}")


def _out_of_fold(results: IntentResults) -> list[tuple[str, str, str]]:
    try:
        quality = results.out_of_fold
    except IntentModelError as error:
        return [("out of fold", _NONE, str(error))]
    return [
        ("area under the curve, out of fold", decimal(quality.auc, 3), f"{results.auc_in_sample:.3f} in sample"),
        (
            "Brier score, out of fold",
            decimal(quality.brier, 4),
            f"{quality.brier_of_base_rate:.4f} for one rate for all",
        ),
        ("calibration slope", decimal(quality.calibration_slope), "1; below it predictions are too extreme"),
        ("calibration intercept", decimal(quality.calibration_intercept), "0; above it too few requests are foretold"),
    ]


def _joint(results: IntentResults) -> tuple[str, str, str]:
    try:
        tested = results.all_signals
    except IntentModelError as error:
        return ("all terms together", _NONE, str(error))
    note = f"p {p_value(tested.p_value)}: chance that terms without any effect do as much"
    return (f"χ² of all {tested.degrees_of_freedom} terms together", decimal(tested.statistic, 1), note)


def session_section(comparison: SessionLengthComparison) -> Html:
    """Show how session length tells of a request: the curve, its band, other forms, and which of them foretells best.

    Args:
        comparison: The intent model with session length in each form.
    """
    fitted = comparison.table.filter(pl.col("not_available").is_null())["form"].to_list()
    others: dict[str, pl.DataFrame] = {form: comparison.curve(form) for form in _OTHER_FORMS if form in fitted}
    chart = session_length_chart(comparison.curve(), others)
    caption = (
        "Log-odds of a demo request by the length of the visit, against one of "
        f"{comparison.reference:.1f} minutes, with the pointwise {100 * comparison.level:g}% interval. "
        "Visits of a single moment are the dot."
    )
    if comparison.nonlinearity is not None:
        caption += f" That chance alone bends a free curve so much has p {p_value(comparison.nonlinearity)}."
    drawn = figure(chart, "session-length", caption, "Curves of session length", "middle")
    rows = [
        (row["form"], decimal(row["aic_above_best"], 1), decimal(row["log_loss"], 5), decimal(row["auc"], 3))
        if row["not_available"] is None
        else (row["form"], _NONE, _NONE, row["not_available"])
        for row in comparison.table.to_dicts()
    ]
    heads = ["form", "AIC above best", "log loss, out of fold", "AUC, out of fold"]
    table = number_table(heads, rows, "Forms of session length: lower is better, but for AUC")
    return join([element("h3", "How session length counts"), drawn, table])


def analyses_section(side_by_side: NaiveComparison) -> Html:
    """Show what one row per visitor would have said instead, and how far off the truth each is.

    Args:
        side_by_side: The same events analysed in three ways.
    """
    names = list(side_by_side.results)
    cells: dict[str, dict[str, str]] = {}
    for row in side_by_side.table.to_dicts():
        off = "" if row["standardised_error"] is None else f" ({decimal(row['standardised_error'], 1, sign=True)} SE)"
        cells.setdefault(row["signal"], {})[row["analysis"]] = f"{decimal(row['coefficient'], sign=True)}{off}"
        if row["true_coefficient"] is not None:
            cells[row["signal"]]["truth"] = decimal(row["true_coefficient"], sign=True)
    rows = [
        (term_name(term), values.get("truth", _NONE), *(values.get(name, _NONE) for name in names))
        for term, values in cells.items()
    ]
    caption = "Coefficients by three analyses of the same events; in brackets how many standard errors off the truth"
    remarks = [f"{name}: {reason}" for name, reason in side_by_side.not_available.items()]
    return join(
        [
            element("h3", "What other analyses would have said"),
            *(element("p", remark, class_="notice") for remark in remarks),
            element("ul", *(element("li", sentence) for sentence in _verdicts(side_by_side))),
            number_table(["term", "truth", *names], rows, caption),
        ]
    )


def _verdicts(side_by_side: NaiveComparison) -> list[str]:
    if not side_by_side.results or side_by_side.table["true_coefficient"].is_null().all():
        return []
    return [
        f"{row['analysis'].capitalize()}: {row['n_covered']} of {row['n_terms']} intervals hold the truth; furthest "
        f"off is {term_name(row['worst_signal'])}, by {decimal(row['worst_bias'], sign=True)} or "
        f"{decimal(abs(row['worst_standardised_error']), 1)} standard errors."
        for row in side_by_side.verdicts.to_dicts()
    ]
