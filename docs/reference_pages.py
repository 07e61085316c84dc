"""Generates the reference pages that follow from the code: Python names, settings, columns, signals and measures.

``python -m docs.reference_pages docs/reference`` writes them. A test compares the stored pages with
what it would write.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

import analytics
import scenarios
import simulator
from analytics.events.tracking_plan import COLUMNS, EventName
from analytics.signals.definitions import MULTI_PAGE_VISIT, SIGNALS, VISIT_KEY_COLUMNS, VISIT_OUTCOME_COLUMNS
from scenarios.measures.registry import all_measures
from scenarios.scenario import Scenario
from scenarios.studies.settings import StudySettings
from scenarios.study import study_schema

_UNITS: Final = {
    "seconds": "seconds",
    "minutes": "minutes",
    "hours": "hours",
    "days": "days",
    "per_day": "per day",
    "per_week": "per week",
    "rate": "probability",
    "share": "share",
    "log_odds": "log-odds",
    "coefficients": "log-odds",
    "interactions": "log-odds",
    "target_conversion": "probability",
    "account_sd": "log-odds",
    "replications": "runs",
}
"""Unit of a setting by the last part of its name: names contain their unit."""

_TITLES: Final = {"PrecisionSettings": "SequentialReplications"}
"""Titles of models whose class name would give a title twice."""

_BOUNDS: Final = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "length ≥ {}",
    "maxLength": "length ≤ {}",
    "minItems": "≥ {} items",
    "maxItems": "≤ {} items",
    "minProperties": "≥ {} entries",
    "pattern": "matches `{}`",
}
_LONGEST_DEFAULT: Final = 80

_VISIT_MEANINGS: Final = {
    "anonymous_id": "identifier of the browser",
    "visit": "number of the visit, from 1 for each visitor",
    "account": "the company, where it is known",
    "experiments": "arms of the visitor, as experiment=arm, separated by ;",
    "started_at": "time of the first page view",
    "ended_at": "time of the last page view",
    "n_page_views": "number of page views",
    "at_risk": "whether the visit could end in a first demo request",
    "censored": "whether the visit may continue beyond the end of observation",
    "requested_demo": "whether the visit ended in the visitor's first demo request",
}

_CONSTANTS: Final = {
    "COLUMNS": "The columns of the event table, each with its type, its path in the JSON event and its meaning.",
    "EVENT_SCHEMA": "The Polars schema of the event table.",
    "Bools": "Type of an array of truth values, one for each visitor.",
    "Floats": "Type of an array of numbers.",
    "Count": "Type of a setting: a whole number, 1 or more.",
    "LogOdds": "Type of a setting: an effect in log-odds, from −50 to 50.",
    "NonNegative": "Type of a setting: a number, 0 or more.",
    "Positive": "Type of a setting: a number above 0.",
    "Probability": "Type of a setting: a number from 0 to 1.",
    "Real": "Type of a setting: any finite number.",
    "PageName": "Type of a setting: the name of a page of the site; another name is refused with the scenario.",
    "FormPageName": "Type of a setting: the name of a page that has a form.",
    "SIGNALS": "The built-in intent signals, in the order of the model's coefficients.",
}
"""Meaning of the public names that have no docstring of their own."""


def python_page() -> str:
    """Every name of ``import funnelsim as fs``."""
    sections = (
        ("Scenarios, runs and studies", scenarios),
        ("Events, store, statistics and models", analytics),
        ("The simulated world", simulator),
    )
    tables = "".join(
        f"\n## {title}\n\n{_table(('name', 'meaning'), _public_names(package, errors=False))}"
        for title, package in sections
    )
    errors = chain.from_iterable(_public_names(package, errors=True) for _, package in sections)
    return (
        "# Python\n\n`import funnelsim as fs` gives access to every public name; each is loaded on first use. "
        "`fs.__version__` is the version. `help(fs.Scenario)` shows arguments, units, return values and errors.\n"
        f"{tables}\n## Errors\n\n{_table(('name', 'meaning'), errors)}"
    )


def _public_names(package: ModuleType, *, errors: bool) -> Iterator[tuple[str, str]]:
    """Names and meanings of what a package exports: its errors, or everything else."""
    for name in sorted(package.__all__, key=lambda name: (name.isupper(), name.islower(), name)):
        value = getattr(package, name)
        if (inspect.isclass(value) and issubclass(value, Exception)) == errors:
            meaning = _CONSTANTS.get(name) or (inspect.getdoc(value) or "").split("\n\n")[0]
            yield f"`{name}`", _flat(meaning)


def scenario_page() -> str:
    """Every setting of a scenario file."""
    head = (
        "# Scenario files\n\nOnly `name` is required. Unknown keys are errors. With `extends: baseline` a scenario "
        "changes another one (a built-in scenario or a file) key by key; `null` removes an entry. "
        "`funnelsim show baseline` prints every default. [Write a scenario](../how-to/scenarios.md) has examples.\n"
    )
    return head + _settings(Scenario, Scenario.model_json_schema(mode="validation"))


def study_page() -> str:
    """Every setting of a study file."""
    head = "# Study files\n\nUnknown keys are errors. [Run a study](../studies.md) has examples.\n"
    return head + _settings(StudySettings, study_schema())


def columns_page() -> str:
    """Every column of the event table and of the visit table."""
    events = _table(
        ("column", "type", "in the JSON event", "calls", "meaning"),
        (
            (
                f"`{each.name}`",
                str(each.dtype),
                f"`{'.'.join(each.path)}`",
                ", ".join(each.calls) or "all",
                each.meaning,
            )
            for each in COLUMNS
        ),
    )
    visits = _table(
        ("column", "type", "meaning"),
        (
            (f"`{name}`", str(dtype), _VISIT_MEANINGS[name])
            for name, dtype in {**VISIT_KEY_COLUMNS, **VISIT_OUTCOME_COLUMNS}.items()
        ),
    )
    names = _table(("event",), ((f"`{name}`",) for name in EventName))
    return (
        "# Columns\n\n## The event table\n\nOne row per event. Column names are those of Segment's warehouses. "
        "Times are UTC.\n\n"
        f"{events}\n## Names of track calls\n\n{names}\n"
        "## The visit table\n\nOne row per visit. The [signals](signals-and-measures.md) are columns between the first "
        f"seven and the last three.\n\n{visits}"
    )


def signals_and_measures_page() -> str:
    """Every intent signal, and every measure that a claim or a response may use."""
    signals = _table(
        ("signal", "expected", "meaning: the visitor …, or a number"),
        ((f"`{each.name}`", each.expectation, each.meaning) for each in (*SIGNALS, MULTI_PAGE_VISIT)),
    )
    measures = _table(
        ("measure", "usage", "meaning"),
        ((f"`{each.name}`", f"`{each.usage}`", each.meaning) for each in all_measures().values()),
    )
    return (
        "# Signals and measures\n\n## Intent signals\n\nThe value of a signal is known strictly before the decision. "
        "An `identify`, `group` or `alias` call counts with the demo request if that is the visitor's next track call "
        "and follows within 30 seconds: an address given in the demo form is no signal before it. "
        "`expected` is what an analyst would expect of it: high intent, low intent, or context to adjust for.\n\n"
        f"{signals}\n## Measures\n\nClaims, responses of studies and `run.measure()` combine measures with "
        f"`+ - * /`.\n\n{measures}"
    )


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "python.md": python_page,
    "scenario.md": scenario_page,
    "study.md": study_page,
    "columns.md": columns_page,
    "signals-and-measures.md": signals_and_measures_page,
}
"""The function that generates each page, by file name."""


def write_reference(folder: Path) -> None:
    """Write all generated pages.

    Args:
        folder: An existing folder.
    """
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


def _settings(top: type[BaseModel], schema: Mapping[str, Any]) -> str:
    """Describe a model and, each under its own heading, the models it consists of."""
    schema = _with_enums_inlined(schema, schema.get("$defs", {}))
    known = {model.__name__: model for model in _models(BaseModel)}
    parts = {name: part for name, part in schema.get("$defs", {}).items() if "properties" in part}
    inner = "".join(
        _model(_title(name), known[name], part) + _classes(known[name], part) for name, part in parts.items()
    )
    return _model("Top level", top, schema) + inner


def _classes(model: type[BaseModel], schema: Mapping[str, Any]) -> str:
    """Describe the settings of each registered class, beside ``use``."""
    sections = []
    for settings in (condition["then"] for condition in schema.get("allOf", ())):
        found = model.model_of({"use": settings["title"]})  # type: ignore[attr-defined]  # of PartSettings alone
        own = {key: each for key, each in settings["properties"].items() if key != "use"}
        sections.append(_model(f"use: {settings['title']}", found, {"properties": own}) if own else "")
    return "".join(sections)


def _with_enums_inlined(part: Any, defs: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any part of a JSON document
    """Replace references to enumerations by the enumerations themselves."""
    if isinstance(part, dict):
        referred = defs.get(str(part.get("$ref", "")).rpartition("/")[2], {})
        if "enum" in referred:
            return referred
        return {key: _with_enums_inlined(value, defs) for key, value in part.items()}
    return [_with_enums_inlined(each, defs) for each in part] if isinstance(part, list) else part


def _models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """All models of this project; a schema refers to them by name only."""
    for model in base.__subclasses__():
        if model.__module__.partition(".")[0] in {"analytics", "simulator", "scenarios"}:
            yield model
        yield from _models(model)


def _model(title: str, model: type[BaseModel], schema: Mapping[str, Any]) -> str:
    ours = [each for each in model.__mro__ if issubclass(each, BaseModel) and each is not BaseModel]
    docstrings = [_docstring(inspect.getdoc(each) or "") for each in ours]
    description = docstrings[0][0]
    # An inherited setting is documented in the class that declares it.
    meanings = {key: meaning for _, listed in reversed(docstrings) for key, meaning in listed.items()}
    required = schema.get("required", ())
    rows = (
        (
            f"`{key}`",
            ", ".join(filter(None, (_kind(each), _unit(key), _range(each)))),
            "required" if key in required else _default(model, key),
            meanings.get(key, each.get("description", "")),
        )
        for key, each in schema["properties"].items()
    )
    table = _table(("key", "type, unit and range", "default", "meaning"), rows)
    return f"\n## {title}\n\n{description}\n\n{table}"


def _title(name: str) -> str:
    """The title of a model's section: ``TimedCampaignSettings`` is "Timed campaign"."""
    title = _TITLES.get(name, name.removesuffix("Settings"))
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title).capitalize()


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """Split a docstring into the description of the model and the meaning of each setting."""
    description, _, listed = re.sub(r"\n(Attributes|Args):\n", "\0", text, count=1).partition("\0")
    entries = re.findall(r"^    (\w+): (.*(?:\n(?:     .*|\s*$))*)", listed, flags=re.MULTILINE)
    return _flat(description), {key: _flat(meaning) for key, meaning in entries}


def _flat(text: str) -> str:
    """Join lines to one paragraph, and turn Sphinx roles and double backticks into Markdown code."""
    joined = " ".join(text.split())
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", joined).replace("``", "`")


def _unit(key: str) -> str:
    return next((unit for end, unit in _UNITS.items() if key == end or key.endswith(f"_{end}")), "")


def _kind(schema: Mapping[str, Any]) -> str:
    """The type of value that a schema describes."""
    if "$ref" in schema:
        title = _title(schema["$ref"].rpartition("/")[2])
        return f"[{title}](#{title.lower().replace(' ', '-')})"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if choices := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(dict.fromkeys(_kind(each) for each in choices))
    if schema.get("type") == "object":
        values = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
        return f"mapping of {_kind(values)}" if isinstance(values, Mapping) else "mapping"
    if schema.get("type") == "array":
        items = schema.get("items")
        return f"list of {_kind(items)}" if isinstance(items, Mapping) else "list"
    kind = str(schema.get("type", "any"))
    return {"string": "text", "integer": "whole number"}.get(kind, kind)


def _range(schema: Mapping[str, Any]) -> str:
    """The bounds of a value, or of the values in a mapping, a list or a choice."""
    own = [pattern.format(_number(schema[word])) for word, pattern in _BOUNDS.items() if word in schema]
    inner = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    inner += [each for word in ("items", "additionalProperties") if isinstance(each := schema.get(word), Mapping)]
    return ", ".join(dict.fromkeys(text for text in (*own, *map(_range, inner)) if text))


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _default(model: type[BaseModel], key: str) -> str:
    """The default as a scenario file would state it; long ones refer to ``funnelsim show``."""
    if key not in model.model_fields:
        return "none"
    if inspect.isclass(kind := model.model_fields[key].annotation) and issubclass(kind, BaseModel):
        return ""  # the section of that model has them
    if model.model_fields[key].is_required():
        return "required"
    default = model.model_fields[key].get_default(call_default_factory=True, validated_data={})
    text = json.dumps(to_jsonable_python(default), ensure_ascii=False)
    return f"`{text}`" if len(text) <= _LONGEST_DEFAULT else "see `funnelsim show baseline`"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heads)]
    lines += [["---"] * len(lines[0]), *([_cell(text) for text in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    # An unescaped bar would end the cell.
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    write_reference(Path(sys.argv[1]))
