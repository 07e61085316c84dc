"""A file that maps somebody's site: what its pages are, the steps of its funnel, and the names of its events.

It has three sections of a scenario's ``analytics``: ``pages``, ``funnel`` and ``event_names``. A key that is none of
these and has a ``/`` or ``*`` is a rule of ``pages`` itself, so that a file may have nothing but rules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from analytics.events.pages import looks_like_glob
from analytics.settings import AnalyticsSettings
from scenarios.config.layers import Layers
from scenarios.config.library import read_text
from scenarios.config.validation import check
from scenarios.config.yaml_source import YamlSource, dotted, read_yaml
from scenarios.errors import Fault, ScenarioError, advice

_SECTIONS: Final = ("pages", "funnel", "event_names")


def with_mapping(settings: AnalyticsSettings, file: str | Path) -> AnalyticsSettings:
    """Add the mapping of a file to the settings of an analysis.

    Rules of the file come before those of the settings, and so apply first; its funnel replaces theirs.

    Args:
        settings: The settings.
        file: The file.

    Raises:
        ScenarioError: It cannot be read, or something in it is wrong; with every fault and its place.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "pages.yaml"
    ...     _ = path.write_text('"/legal/*": {category: security, stage: bottom}')
    ...     with_mapping(AnalyticsSettings(), path).pages["/legal/*"].category
    'security'
    """
    layers = Layers(str(file), AnalyticsSettings)
    layers.lay_file(_in_sections(read_yaml(read_text(Path(file)), str(file))))
    stated = check(AnalyticsSettings, layers)
    return settings.model_copy(
        update={
            "pages": {
                **stated.pages,
                **{glob: page for glob, page in settings.pages.items() if glob not in stated.pages},
            },
            "funnel": stated.funnel or settings.funnel,
            "event_names": {**settings.event_names, **stated.event_names},
        }
    )


def _in_sections(source: YamlSource) -> YamlSource:
    """Move rules at the top of the file to its section ``pages``.

    Raises:
        ScenarioError: The file is no mapping, has an unknown key, or a rule twice.
    """
    # Where all lines are commented out, the file states nothing.
    data: Any = {} if source.data is None else source.data
    if not isinstance(data, dict):
        raise ScenarioError([Fault(f"{source.name}:1:1", "", "must be a mapping (key: value)")])
    rules = {key: value for key, value in data.items() if key not in _SECTIONS}
    faults = [
        Fault(
            source.where((key,)),
            dotted((str(key),)),
            f"unknown key {key!r}{advice(str(key), _SECTIONS)}; a glob has a /",
        )
        for key in rules
        if not (isinstance(key, str) and looks_like_glob(key))
    ]
    sections = {key: value for key, value in data.items() if key in _SECTIONS}
    pages = sections.get("pages") or {}
    if isinstance(pages, dict):
        faults += [Fault(source.where((key,)), key, "stands in pages too") for key in rules if key in pages]
        sections["pages"] = {**rules, **pages}
    if faults:
        raise ScenarioError(faults)
    moved = {("pages", *path) if path and path[0] in rules else path: place for path, place in source.places.items()}
    return YamlSource(source.name, sections, moved)
