"""Claims about the report's sections on experiments: what they say, whatever the arms are called and hold."""

from __future__ import annotations

import numpy as np
import pytest
from flat_events import Row, events_of, request, view
from pages import Page, assert_sections, assert_self_contained

from analytics.analysis import Analysis
from analytics.report.data import ReportData
from analytics.report.render import render_report
from analytics.settings import AnalyticsSettings

BAD = "<b>\u202e&"


def visitors(rates: dict[str, float], n: int = 600, experiment: str = "e") -> list[Row]:
    """Visitors in arms by turns, one a minute, of whom these shares request a demo."""
    rng, rows, arms = np.random.default_rng(4), [], list(rates)
    for i in range(n):
        arm = arms[i % len(arms)]
        label = {"context_experiments": f"{experiment}={arm}"}
        rows.append(view(float(i), f"{experiment}{i}", **label))
        if rng.random() < rates[arm]:
            rows.append(request(i + 0.5, f"{experiment}{i}", **label))
    return rows


def page_of(*rows: Row, **truth: float) -> Page:
    """The report of these events."""
    known = {name.replace("_", "="): value for name, value in truth.items()}
    analysis = Analysis(lambda: events_of(*rows), AnalyticsSettings(), truth=known or None)
    page = Page(render_report(ReportData(analysis.statistics, title="t", experiments=analysis.experiments)))
    assert_self_contained(page)
    assert_sections(page)
    return page


def text_of(page: Page) -> str:
    """The text of a page, without the marks of its cells."""
    return " ".join(" ".join(page.lines).split())


def test_each_arm_has_a_sentence_a_row_and_a_place_in_both_charts():
    """The section follows the sentences of the analysis; the truth has a column where it is known."""
    rows = visitors({"a": 0.1, "b": 0.3, "c": 0.1})
    page = page_of(*rows, e_b=0.5)
    text = text_of(page)
    for _, sentence in Analysis(lambda: events_of(*rows), AnalyticsSettings()).experiments.sentences:
        assert sentence in text
    labels = page.values("aria-label")
    assert sum(label.startswith("Difference of conversion from a in percentage points: b +") for label in labels) == 2
    assert "true effect on log-odds" in text
    assert "true effect on log-odds" not in text_of(page_of(*rows))


def test_a_mismatch_stands_above_the_effects():
    """The warning of the sample ratio comes before the sentence, which says not to trust the effect."""
    more = [view(float(i), f"more{i}", context_experiments="e=a") for i in range(200)]
    text = text_of(page_of(*visitors({"a": 0.1, "b": 0.3}), *more))
    assert text.index("Sample-ratio mismatch in e") < text.index("not to be trusted")


@pytest.mark.usefixtures("no_drawings")
def test_each_experiment_can_be_gone_to():
    """Two are linked by their names; one is called an experiment."""
    two = page_of(*visitors({"a": 0.1, "b": 0.3}, 100), *visitors({"a": 0.1, "b": 0.3}, 100, "new form"))
    assert [anchor for anchor in assert_sections(two) if anchor.startswith("exp")] == ["experiment-1", "experiment-2"]
    assert " Combinations e new form Signals" in two.outline
    one = page_of(*visitors({"a": 0.1, "b": 0.3}, 100))
    assert " Combinations Experiment Signals" in one.outline


@pytest.mark.usefixtures("no_drawings")
def test_what_cannot_be_compared_is_said():
    """One arm, no request, or names that are markup: the page is whole, and says what there is."""
    assert "Visitors were seen in one arm only" in text_of(page_of(*visitors({"a": 0.1})))
    assert "as all visitors have the same outcome" in text_of(page_of(*visitors({"a": 0, "b": 0})))
    hostile = page_of(*visitors({f"{BAD}{n}": 0.5 for n in range(9)}, experiment=BAD))
    assert "b" not in hostile.tags
    assert "2 more arms are in the numbers" in text_of(hostile)
    assert "Experiment" not in text_of(page_of(view(1, "x")))
