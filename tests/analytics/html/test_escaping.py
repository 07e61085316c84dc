"""Claims about texts from outside: what acts is replaced, who is named is masked, and all else stays as it is."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, strategies as st

from analytics.html.escaping import GIVEN, Labels, Rendered, as_json, as_line, as_lines, as_text, masked
from analytics.html.frames import quoted, read_csv, shown_frame, unquoted, write_csv
from analytics.io.reading import read_events

ACTIVE = {"Cc", "Zl", "Zp", "Cs"}


@given(st.text())
def test_a_line_stays_one_line(text: str):
    """Whatever is in it, no character breaks the line, moves the cursor or turns the direction of reading."""
    line = as_line(text)
    assert not {char for char in line if unicodedata.category(char) in ACTIVE or char in "\u202e\u2066\u200f\ufeff"}
    assert len(line.splitlines()) <= 1
    assert as_line(line) == line
    assert as_lines([text, text]).count("\n") == 1


@pytest.mark.parametrize(
    "text", ["ü ß 漢字 ελ", "👩\u200d💻 🏳️\u200d🌈", "e\u0301 क्\u200dष", "می\u200cخواهم", "12 – 34 · ×"]
)
def test_letters_and_emoji_stay(text: str):
    """Joiners belong to emoji and to several scripts, combining marks to their letters."""
    assert as_line(text) == as_text(text) == text


@given(st.dictionaries(st.text(), st.text()))
def test_json_has_the_same_values(data: dict[str, str]):
    """What acts is written as an escape, halves of surrogates too."""
    text = as_json(json.dumps(data, ensure_ascii=False, indent=2))
    assert json.loads(text) == data
    assert not {char for char in set(text) - {"\n"} if unicodedata.category(char) in ACTIVE}


@pytest.mark.parametrize(
    "text",
    [
        "jane@acme.io", "Jane.Doe+tag@sub.acme.co.uk", "jane%40acme.io", "jane%2540acme.io", "jane%2Bx%40acme%2Eio",
        "müller@büro.example", "jane@localhost", "jane\uff20acme.io", "jane@…",
        "192.0.2.7", "010.001.002.003", "192%2E0%2E2%2E7", "2001:db8::7", "2001:0db8:0:0:0:0:0:7", "fe80::1",
        "::ffff:192.0.2.7", "2001%3Adb8%3A%3A7",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "around", ["{}", "({})", "ip={}&x=1", "'{}'", "a, {}.", "/u/{}/edit", "?q%3D{}%26", "id_{}-beta"]
)
def test_addresses_are_masked(text: str, around: str):
    """Nothing of an address is left, wherever it stands, also where it is escaped."""
    shown = masked(around.format(text))
    assert "[e-mail]" in shown or "[IP address]" in shown
    assert not any(part in shown for part in ("ane", "acme", "üller", "192", "010", "db8", "fe80"))


@pytest.mark.parametrize(
    "text",
    [
        "0.123", "-3.5", "1,234,567.89", "12.5 40.0 3.4", "2026-03-03T10:20:30.123Z", "10:20:30", "3.11.7", "1.2.3.4.5",
        "0.1.0", "world.yaml:17:5: clock.hours: must be", "funnelsim 0.1.0", "a @ b", "@docs", "999.1.1.1",
        "http://127.0.0.1:8080/v1/batch", "[::1]:9092", "std::vector", "7.0.0.20251009", "v1.2.3.4",
        "mean [0.12, 0.34]; p < 0.001", "41.40.42",
    ],
)  # fmt: skip
def test_numbers_times_and_versions_stay(text: str):
    """Figures of our own, times, places in files, versions of up to three parts, and addresses of this machine."""
    assert masked(text) == text


@pytest.mark.parametrize(
    "piece", ["a", "a@", "@", "%40", ".", "1.", "1:", "::", ":", "%3A", "%2E", "1.1.1.", "a@1.", "\x1b"]
)
def test_the_time_grows_with_the_length(piece: str):
    """No text makes the search go over it again and again: a megabyte is done within seconds."""
    as_line(piece * (10**6 // len(piece)) + "@")


def test_personal_data_are_shown_on_request(monkeypatch: pytest.MonkeyPatch):
    """The variable shows all, and words of the user's own command are shown in any case."""
    text = "jane@acme.io 192.0.2.7"
    token = GIVEN.set(("http://192.0.2.7:8080",))
    assert masked(text) == "[e-mail] 192.0.2.7"
    GIVEN.reset(token)
    monkeypatch.setenv("FUNNELSIM_SHOW_PERSONAL_DATA", "1")
    assert masked(text) == text
    assert as_line("a@b.c\x1b") == "a@b.c�"


@given(st.lists(st.sampled_from(["a@b.c", "d@e.f", "[e-mail]", "[e-mail] #2", "x", "x\x1b", "x\x9b", "x�"])))
def test_texts_that_differ_have_labels_that_differ(texts: list[str]):
    """And equal texts have equal ones, in any order."""
    labels = Labels()
    shown = [labels(text) for text in texts]
    assert len(set(shown)) == len(set(texts))
    assert [labels(text) for text in texts] == shown
    assert all(isinstance(label, Rendered) for label in shown)


@given(st.lists(st.text(alphabet="'=+-@ \uff1dx1.,\n\t")))
def test_quoting_is_undone_by_reading(texts: list[str]):
    """Texts are the same after writing and reading; none begins like a formula unless it is a number."""
    frame = pl.DataFrame({"=name": texts, "n": range(len(texts))}, schema={"=name": pl.String, "n": pl.Int64})
    marked = quoted(frame)
    assert unquoted(marked).equals(frame)
    assert not [text for text in marked["'=name"] if re.match(r"[=@\uff1d]|[+-](?!\d+(\.\d+)?$)", text)]


def test_numbers_stay_numbers(tmp_path: Path):
    """Columns of numbers are written as they are, texts that are numbers too; a frame is read as it was."""
    frame = pl.DataFrame({"device": ["=1+1", "-x", "'=", "ü"], "change": [-3.5, None, 1.0, 2.0], "n": [-1, 2, 3, 4]})
    write_csv(frame, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines()[1:3] == ["'=1+1,-3.5,-1", "'-x,,2"]
    assert read_csv(tmp_path / "a.csv").equals(frame)


def test_events_lose_the_mark_of_a_spreadsheet(tmp_path: Path):
    """Events that were written as CSV for people are read with the values that they had."""
    rows = {"type": ["page", "page"], "anonymousId": ["'=a", "b"], "timestamp": ["2026-03-03T10:00:00Z"] * 2}
    pl.DataFrame(rows).write_csv(tmp_path / "events.csv")
    (batch,) = read_events(tmp_path / "events.csv")
    assert batch.frame["anonymous_id"].to_list() == ["=a", "b"]


def test_a_frame_keeps_its_rows_apart():
    """Categories are texts; numbers stay; rows that differ in an address only have a number."""
    texts = ["/u/a@b.c", "/u/d@e.f", None, "/u/a@b.c"]
    frame = pl.DataFrame({"page": pl.Series(texts, dtype=pl.Categorical), "a@b.c": [1, 2, 3, 4]})
    shown = shown_frame(frame)
    assert shown.columns == ["page", "[e-mail]"]
    assert shown["page"].to_list() == ["/u/[e-mail]", "/u/[e-mail] #2", None, "/u/[e-mail]"]
    assert shown_frame(pl.DataFrame({"x": ["a"]})).equals(pl.DataFrame({"x": ["a"]}))
