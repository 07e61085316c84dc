"""The notebooks run, and their outputs are those stored in them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra [notebook]")

from notebooks.execute import HERE, executed, text_of  # noqa: E402 - needs nbformat

NOTEBOOKS = sorted(HERE.glob("*.ipynb"))


def test_there_are_five_notebooks() -> None:
    """From a first run to a simulation of one's own."""
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


def rounded(text: str) -> str:
    """The text with long numbers cut to six significant digits."""
    return re.sub(r"-?\d+\.\d{4,}(?:e[-+]?\d+)?", lambda number: f"{float(number[0]):.6g}", text)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_reproduces_its_outputs(path: Path) -> None:
    """Executed again, it equals the stored file, but for the last digits of fits, which depend on the processor."""
    stored = rounded(path.read_text(encoding="utf-8"))
    again = rounded(text_of(executed(path)))
    # Cell by cell, so that a difference can be read.
    for old, new in zip(json.loads(stored)["cells"], json.loads(again)["cells"], strict=True):
        assert new == old
    assert again == stored


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_needs_no_network(path: Path) -> None:
    """Its outputs contain no script and fetch nothing, and the file is far below 5 MB."""
    text = path.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    shown = [
        "".join(output["data"].get("text/html", ""))
        for cell in json.loads(text)["cells"]
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    assert shown
    assert not [html for html in shown if re.search(r"<script|(src|href)=|url\(\s*[\"']?http", html)]
