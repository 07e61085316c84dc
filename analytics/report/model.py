"""The report's section on the intent model: which signals foretell a demo, how sure that is, and the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analytics.charts.model import SIGNIFICANT, coefficient_chart
from analytics.charts.style import BLUE, GREY, VERMILLION
from analytics.report.html import Html, count, decimal, drawing, element, join, number_table, p_value, times
from analytics.report.trust import clustering_note, trust_table
from analytics.report.wording import coefficient_groups, interpret, known_signals, term_name
from analytics.signals.definitions import interaction_parts

if TYPE_CHECKING:
    from analytics.intent.results import IntentResults

__all__ = ["model_section"]

_NONE: Final = "–"
_DOT: Final = '<svg width="14" height="14" aria-hidden="true"><circle cx="7" cy="7" r="5" stroke-width="2" {}/></svg>'
_DIAMOND: Final = (
    '<svg width="14" height="14" aria-hidden="true"><path d="M7 1 L12 7 L7 13 L2 7 Z" fill="none" stroke-width="2" '
    f'stroke="{VERMILLION}"/></svg>'
)


def model_section(results: IntentResults | None, error: str | None) -> Html:
    """Lay out the model, or say why there is none.

    Args:
        results: The fitted model.
        error: Why it could not be fitted.
    """
    title = element("h2", "Which signals foretell a demo")
    if results is None:
        reason = error or "it was not asked for"
        return join([title, element("p", f"There is no intent model: {reason}.".replace("..", "."), class_="notice")])
    if results.terms == ("intercept",):
        return join(
            [title, _cautions(results), element("p", "No signal could be told from the data.", class_="notice")]
        )
    parts = [
        _facts(results),
        _cautions(results),
        _forest(results),
        _aloud(results),
        _table(results),
        _glossary(results),
    ]
    return join([title, *parts, trust_table(results), clustering_note(results)])


def _facts(results: IntentResults) -> Html:
    return element(
        "p",
        f"A logit, by {results.method}, on {count(results.n_visits)} visits, {count(results.n_requests)} of which "
        "ended in a demo request; "
        f"{count(results.n_visitors)} visitors, {count(results.n_accounts)} known companies. Standard errors: "
        f"{results.covariance}. McFadden's R² {results.pseudo_r2:.3f}; area under the curve "
        f"{results.auc_in_sample:.3f} on the visits it was fitted on and so flattering.",
        class_="soft",
    )


def _cautions(results: IntentResults) -> Html:
    dropped = [f"Dropped: {term_name(term)} ({reason})" for term, reason in results.dropped.items()]
    remarks = [*results.warnings, *dropped]
    if not remarks:
        return Html("")
    items = element("ul", *(element("li", remark) for remark in remarks))
    return element("div", element("strong", "Mind before using these numbers"), items, class_="notice", role="note")


def _forest(results: IntentResults) -> Html:
    groups = coefficient_groups(results.coefficients, known_signals(results))
    names = {term: term_name(term) for term in results.terms}
    rows = [row for table in groups.values() for row in table.to_dicts()]
    known = any(row["true_coefficient"] is not None for row in rows)
    told = [
        term_name(row["signal"]) for row in rows if row["p_adjusted"] is not None and row["p_adjusted"] < SIGNIFICANT
    ]
    alt_text = f"Coefficients with intervals. Significant after adjustment: {', '.join(told) or 'none'}"
    frame = drawing(coefficient_chart(groups, names), "coefficients", alt_text, "middle")
    caption = (
        f"Estimate and {100 * results.level:g}% interval of each signal, all else equal. A signal whose interval "
        "holds 0 cannot be told from one without effect. Significance is adjusted for the number of signals (Holm), so "
        "a ring whose interval leaves out 0 may be chance among so many. "
        "What lies beyond ±5 is drawn at the edge."
    )
    if known:
        covered = [row["ci_covers_truth"] for row in rows if row["ci_covers_truth"] is not None]
        caption += (
            f" {sum(covered)} of {len(covered)} intervals hold the truth; of many, {100 * results.level:g}% would: "
            "a miss now and then is to be expected."
        )
    return element("figure", _keys(known=known), frame, element("figcaption", caption))


def _keys(*, known: bool) -> Html:
    keys = [
        (_DOT.format(f'fill="{BLUE}" stroke="{BLUE}"'), "significant at 5%"),
        (_DOT.format(f'fill="none" stroke="{GREY}"'), "not significant"),
    ]
    if known:
        keys.append((_DIAMOND, "the truth"))
    return element("p", *(element("span", Html(glyph), text, class_="key") for glyph, text in keys), class_="soft")


def _aloud(results: IntentResults) -> Html:
    spoken = interpret(results)
    known = any(interpretation.truth for interpretation in spoken)
    heads = ["all else equal", "verdict at 5%, adjusted", *(["truth"] if known else [])]
    rows = [(r.sentence, r.verdict, *([r.truth or _NONE] if known else [])) for r in spoken]
    caption = (
        f"By how much each signal multiplies the odds of a demo request, with the {100 * results.level:g}% interval"
    )
    table = number_table(heads, rows, caption, n_texts=len(heads), classes="reading")
    return join([element("h3", "In plain words"), table])


def _table(results: IntentResults) -> Html:
    known = results.coefficients["true_coefficient"].is_not_null().any()
    heads = ["term", "coef.", "SE", "z", "p", "adjusted p", "odds ratio", "AME, points"]
    heads += ["truth", "covered"] if known else []
    intercept = results.coefficients.filter(signal="intercept").to_dicts()
    groups = coefficient_groups(results.coefficients, known_signals(results))
    terms = [row for table in groups.values() for row in table.to_dicts()]
    rows = [_cells(row, known=known) for row in [*intercept, *terms]]
    caption = (
        "Coefficients in log-odds, with standard errors (SE). AME: average marginal effect, the mean change in the "
        "probability of a request in a visit, in percentage points; interactions have none of their own. Adjusted p: "
        "Holm's, for the number of terms."
    )
    return join([element("h3", "Coefficients"), number_table(heads, rows, caption), _interactions(results)])


def _interactions(results: IntentResults) -> Html:
    """What products do to the probability: of that their coefficients say nothing."""
    effects = results.interaction_effects
    if effects.is_empty():
        return Html("")
    rows = [
        (
            " by ".join(map(term_name, reversed(interaction_parts(row["signal"])))),
            decimal(100 * row["effect"], sign=True),
            f"[{decimal(100 * row['ci_low'], sign=True)}, {decimal(100 * row['ci_high'], sign=True)}]",
            p_value(row["p_value"]),
        )
        for row in effects.to_dicts()
    ]
    caption = (
        "Interactions on the scale of probabilities: by how many percentage points the average marginal effect of one "
        "signal differs by another"
    )
    return number_table(["effect", "points", f"{100 * results.level:g}%", "p"], rows, caption)


def _glossary(results: IntentResults) -> Html:
    """Say what a 1, or the number, of each signal of the model means: those of the analyst's own stand nowhere else."""
    rows = [
        (signal.name, f"a visitor who {signal.meaning}" if signal.dtype == pl.Boolean() else signal.meaning)
        for signal in results.basis.signals
    ]
    table = number_table(
        ["signal", "meaning, known strictly before the decision"], rows, "Signals of the model", n_texts=2
    )
    return element("details", element("summary", "What the signals mean"), table)


def _cells(row: dict[str, Any], *, known: bool) -> tuple[str, ...]:
    is_intercept = row["signal"] == "intercept"
    effect = row["average_marginal_effect"]
    cells = (
        term_name(row["signal"]),
        decimal(row["coefficient"], sign=True),
        decimal(row["standard_error"]),
        decimal(row["z"], 1, sign=True),
        p_value(row["p_value"]),
        p_value(row["p_adjusted"]),
        _NONE if is_intercept else times(row["odds_ratio"], row["odds_ratio_low"], row["odds_ratio_high"]),
        decimal(None if effect is None else 100 * effect, sign=True),
    )
    if not known:
        return cells
    covered = _NONE if row["ci_covers_truth"] is None else "yes" if row["ci_covers_truth"] else "no"
    return (*cells, decimal(row["true_coefficient"], sign=True), covered)
