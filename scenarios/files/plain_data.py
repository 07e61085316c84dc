"""Results as files and as plain data: tables, the model, the truth."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from analytics.durable.dead_letter_lines import dead_letter_entry
from analytics.errors import AnalyticsError
from analytics.events.dead_letters import DeadLetter
from analytics.html.escaping import Labels, Rendered, as_json, masked
from analytics.html.frames import write_csv

# For type checkers only: files are written where nothing is analysed.
if TYPE_CHECKING:
    from analytics.analysis import Analysis


def to_json(data: object, indent: int | None = 2) -> Rendered:
    """Write plain data as JSON: times as ISO 8601, and null for what is not a finite number.

    Args:
        data: Mappings, lists, dataclasses, frames (as a list of rows), enumerations, numbers and text; anything else as
            its text.
        indent: Blanks by which each level is indented; None writes all on one line.

    >>> to_json({"share": 0.5, "n": 3}, indent=None)
    '{"share": 0.5, "n": 3}'
    >>> print(to_json({"share": float("nan"), "n": 3}))
    {
      "share": null,
      "n": 3
    }
    """
    return as_json(json.dumps(_jsonable(data), ensure_ascii=False, indent=indent, allow_nan=False))


def shown_json(data: object, indent: int | None = 2) -> Rendered:
    """Write plain data as JSON for people: as :func:`to_json`, without e-mail and IP addresses.

    Args:
        data: As for :func:`to_json`.
        indent: As there.

    >>> shown_json({"pages": {"/jane@acme.io": 1, "/joe@acme.io": 2}}, indent=None)
    '{"pages": {"/[e-mail]": 1, "/[e-mail] #2": 2}}'
    """
    return to_json(without_personal_data(data), indent)


def without_personal_data(data: object) -> object:
    """Return plain data for JSON without e-mail and IP addresses; texts of one list that differ stay different.

    Args:
        data: As for :func:`to_json`.
    """
    return _labelled(_jsonable(data), Labels(masked))


def write_json(path: Path, data: object) -> None:
    """Write plain data to a JSON file.

    Args:
        path: The file; it is replaced.
        data: As for :func:`to_json`.
    """
    path.write_text(to_json(data) + "\n", encoding="utf-8")


def write_tables(folder: Path, tables: Mapping[str, pl.DataFrame]) -> None:
    """Write each table to a CSV file of its name, for people; see :func:`analytics.html.frames.write_csv`.

    Args:
        folder: Folder of the files; it is made if it is missing.
        tables: Frames by name of their file, without ``.csv``.
    """
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        write_csv(table, folder / f"{name}.csv")


def write_dead_letters(path: Path, dead_letters: Iterable[DeadLetter]) -> None:
    """Write unusable events to an NDJSON file: reason, detail, position, and the original bytes.

    Bytes that are not text are written in Base64, under ``raw_base64``.

    Args:
        path: The file; it is replaced.
        dead_letters: The events, in the order in which they are written.
    """
    with path.open("w", encoding="utf-8") as file:
        for letter in dead_letters:
            file.write(as_json(json.dumps(dead_letter_entry(letter), ensure_ascii=False)) + "\n")


def model_data(analysis: Analysis) -> dict[str, Any]:
    """Describe the intent model, one entry of ``coefficients`` for each term; or the ``error`` if there is none.

    Args:
        analysis: The analysis; its model is fitted if it has not been used before.

    Returns:
        What :meth:`analytics.intent.results.IntentResults.to_dict` returns; under ``estimators`` the coefficients of
        further ones, and under ``estimator_notes`` what to know of them; under ``truth_unknown`` why a run has no true
        coefficients. Or no coefficients and an ``error``.
    """
    try:
        model = analysis.intent.to_dict()
    except AnalyticsError as error:
        return {"coefficients": [], "error": str(error)}
    from analytics.report.measurement import measurement  # noqa: PLC0415 - loads SciPy, for which nothing waits

    found = measurement(analysis)
    others = found.coefficients.filter(pl.col("estimator") != "model").partition_by("estimator", as_dict=True)
    model["estimators"] = {name: table.drop("estimator").to_dicts() for (name,), table in others.items()}
    model["estimator_notes"] = dict(found.notes)
    if analysis.why_truth_unknown:
        model["truth_unknown"] = analysis.why_truth_unknown
    # ``truth`` is the documented key of the file format; in tables the same number is ``true_coefficient``.
    return {**model, "coefficients": [{**row, "truth": row["true_coefficient"]} for row in model["coefficients"]]}


def _labelled(value: object, labels: Labels) -> object:
    if isinstance(value, dict):
        return {labels(key): _labelled(item, labels) for key, item in value.items()}
    if isinstance(value, list):
        # A table: what it calls a page need not be what others call it.
        labels = Labels(masked)
        return [_labelled(item, labels) for item in value]
    return labels(value) if isinstance(value, str) else value


def _jsonable(value: object) -> object:
    """Turn results into what JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, pl.DataFrame):
        return [_jsonable(row) for row in value.to_dicts()]
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _jsonable(asdict(value))
    if isinstance(value, float):
        # JSON has no NaN or infinity, and strict readers refuse Python's own spelling of them.
        return value if math.isfinite(value) else None
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if value is None or isinstance(value, str | int | bool):
        return value
    item = getattr(value, "item", None)  # a NumPy scalar
    return _jsonable(item()) if callable(item) else str(value)
