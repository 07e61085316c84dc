"""Loading of scenarios: files, what they extend, and overrides become checked settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic_core import PydanticSerializationError, to_jsonable_python

from scenarios.config.layers import Layers
from scenarios.config.library import LIBRARY, find_scenario, read_text, shown_name
from scenarios.config.settings import ScenarioSettings
from scenarios.config.validation import check
from scenarios.config.yaml_source import Path as Keys, YamlSource, dotted, read_scalar, read_yaml
from scenarios.errors import Fault, ScenarioError

Overrides = Mapping[str, Any] | Sequence[str]
"""Single settings by dotted path: ``{"traffic.visitors_per_day": 10}`` or ``["traffic.visitors_per_day=10"]``."""

Model = TypeVar("Model", bound=ScenarioSettings)

_SHOWN: Final = 200
"""Characters of an override that a message shows."""

_SAME_WORLD: Final = frozenset({"name", "description", "seed", "active_agents", "claims"})
"""Settings that change neither the world nor how it is analysed."""


def load(model: type[Model], name_or_path: str | Path, overrides: Overrides = ()) -> Model:
    """Read a scenario of the library or a file, with what it extends, and lay overrides over it.

    Args:
        model: Model of the scenario.
        name_or_path: A name of the library, or the path of a file.
        overrides: Single settings by dotted path, laid over the file.

    Raises:
        ScenarioError: Something is wrong; with every fault and its place.
    """
    path = find_scenario(name_or_path)
    return _build(model, path, read_source(path, read_text(path)), overrides)


def parse(model: type[Model], text: str, name: str, overrides: Overrides = ()) -> Model:
    """Read a scenario from text; what it extends is looked for beside the working folder.

    Args:
        model: Model of the scenario.
        text: The content of a scenario file.
        name: Name of the text in messages.
        overrides: As for :func:`load`.

    Raises:
        ScenarioError: Something is wrong; with every fault and its place.
    """
    path = Path(name)
    return _build(model, path, read_source(path, text), overrides)


def load_source(model: type[Model], source: YamlSource, beside: Path) -> Model:
    """Take a scenario from a mapping within another file.

    Args:
        model: Model of the scenario.
        source: The mapping, with the places of its values in that file.
        beside: The file: what the scenario extends is looked for beside it.

    Raises:
        ScenarioError: Something is wrong; with every fault and its place.
    """
    return _build(model, beside, source, ())


def load_beside(model: type[Model], name: str, beside: Path, fault: Fault) -> Model:
    """Read a scenario that another file names.

    Args:
        model: Model of the scenario.
        name: A name of the library, or the path of a file, from the folder of the other file.
        beside: The other file.
        fault: Where, and in which of its settings, it names the scenario.

    Raises:
        ScenarioError: Something is wrong; with every fault and its place.
    """
    path = find_scenario(name, beside=beside.parent, fault=fault)
    outside: dict[str, Fault] = {}
    _note_outside(path, beside.parent, fault, name, outside)
    with _without_foreign_content(outside):
        source = read_source(path, read_text(path, is_named_by_user=False))
        return _laid(model, _chain(path, source, outside, beside.parent), ())


def with_changes(model: type[Model], settings: ScenarioSettings, changes: Mapping[str, Any]) -> Model:
    """Change single settings of a scenario, by dotted path.

    Args:
        model: Model of the scenario.
        settings: The scenario; it is not changed.
        changes: New values by dotted path.

    Raises:
        ScenarioError: A path or value is wrong.
    """
    layers = Layers(settings.name, model)
    layers.fill(settings.to_data())
    _override(layers, changes)
    return check(model, layers).made_from([settings, *settings.bases])


def _build(model: type[Model], path: Path, source: YamlSource, overrides: Overrides) -> Model:
    """Make settings of a file, of what it extends and of overrides.

    What is wrong in a file that the user has not named, and that is not below the folder of the one named, is not
    shown: a scenario of somebody else could otherwise have any file read to whoever sees the messages.

    Args:
        model: Model of the scenario.
        path: The file.
        source: Its content.
        overrides: As for :func:`load`.
    """
    outside: dict[str, Fault] = {}
    with _without_foreign_content(outside):
        return _laid(model, _chain(path, source, outside, path.parent), overrides)


@contextmanager
def _without_foreign_content(outside: Mapping[str, Fault]) -> Iterator[None]:
    """Replace the faults of files that are not to be shown.

    Args:
        outside: What is said instead, by the name of the file.
    """
    try:
        yield
    except ScenarioError as error:
        raise ScenarioError(dict.fromkeys(_without_content(fault, outside) for fault in error.faults)) from None


def _without_content(fault: Fault, outside: Mapping[str, Fault]) -> Fault:
    names = (name for name in outside if fault.where == name or fault.where.startswith(f"{name}:"))
    return next((outside[name] for name in names), fault)


def _laid(model: type[Model], chain: Sequence[YamlSource], overrides: Overrides) -> Model:
    layers = Layers(chain[-1].name, model)
    bases: list[ScenarioSettings] = []
    for source in chain[:-1]:
        layers.drop("claims")
        layers.lay_file(source)
        bases += _fill_defaults(model, layers)
    # Name, description and claims belong to one scenario, and are not inherited by those that extend it.
    layers.drop("name", "description", "claims")
    layers.lay_file(chain[-1])
    if overrides:
        bases += _fill_defaults(model, layers)
        _override(layers, overrides)
    return check(model, layers).made_from(reversed(bases))


def _fill_defaults(model: type[ScenarioSettings], layers: Layers) -> list[ScenarioSettings]:
    """Add the defaults, so that the next layer changes single entries of them instead of replacing them whole.

    Returns:
        The settings so far; none if they are not valid.
    """
    try:
        settings = check(model, layers)
    except ScenarioError:
        # Faults are reported once, after the last layer, which may correct them.
        return []
    layers.fill(settings.to_data())
    return [settings]


def _note_outside(path: Path, folder: Path, fault: Fault, name: str, outside: dict[str, Fault]) -> None:
    """Note a file whose content is not to be shown: it is neither below a folder nor in the library.

    Args:
        path: The file.
        folder: Folder of the file that the user has named.
        fault: Where, and in which setting, the file is named.
        name: Its name there.
        outside: Gets what is said instead of its faults, by its name in messages.
    """
    folders = (folder.resolve(), LIBRARY.resolve())
    if not outside and any(path.resolve().is_relative_to(each) for each in folders):
        return
    reason = (
        f"what is wrong in {name!r} is not shown, because it is outside of the folder of the file that names it; "
        f"`funnelsim validate {shown_name(path)}` shows it"
    )
    # What a file outside extends has no other message: its name stands in that file.
    outside[shown_name(path)] = next(iter(outside.values()), Fault(fault.where, fault.path, reason))


def _chain(path: Path, source: YamlSource, outside: dict[str, Fault], folder: Path) -> list[YamlSource]:
    """Read what a file extends, and what that extends; the farthest first.

    Args:
        path: The file.
        source: Its content, from which ``extends`` is removed.
        outside: Gets the files that are outside of the folder, as :func:`_note_outside` has it.
        folder: Folder of the file that the user has named.

    Raises:
        ScenarioError: A file is missing or extends itself, directly or through others.
    """
    sources, seen = [source], [path.resolve()]
    while (base := source.data.pop("extends", None)) is not None:
        fault = Fault(source.where(("extends",)), "extends", "")
        if not isinstance(base, str):
            raise ScenarioError([Fault(fault.where, "extends", f"must be a library name or a path (got {base!r})")])
        path = find_scenario(base, beside=path.parent, fault=fault)
        _note_outside(path, folder, fault, base, outside)
        if path.resolve() in seen:
            names = " → ".join(shown_name(known) for known in [*map(Path, (s.name for s in sources)), path])
            raise ScenarioError([Fault(fault.where, "extends", f"goes round in a circle: {names}")])
        source = read_source(path, read_text(path, is_named_by_user=False))
        sources.append(source)
        seen.append(path.resolve())
    return sources[::-1]


def read_source(path: Path, text: str, what: str = "scenario") -> YamlSource:
    """Read a file that must hold a mapping.

    Args:
        path: The file, for messages.
        text: What stands in it.
        what: The kind of file, for messages.

    Raises:
        ScenarioError: It is not YAML, or holds something else.
    """
    source = read_yaml(text, shown_name(path))
    if source.data is None:
        raise ScenarioError([Fault(f"{source.name}:1:1", "", f"is empty; a {what} needs at least a name")])
    if not isinstance(source.data, dict):
        raise ScenarioError([Fault(f"{source.name}:1:1", "", "must be a mapping (key: value)")])
    return source


def _override(layers: Layers, overrides: Overrides) -> None:
    """Lay single settings over the settings so far.

    A change of the world, or of its analysis, makes another scenario, as a file does that extends this one. Its claims
    were about the unchanged world, and may refer to parts that are gone, such as an arm; so they are dropped. A change
    of the name or seed keeps them.
    """
    faults: list[Fault] = []
    changes = list(_each(overrides, faults))
    if any(key.split(".")[0] not in _SAME_WORLD for _, key, _ in changes):
        layers.drop("claims")
    stated: dict[Keys, str] = {}
    for where, key, value in changes:
        try:
            path = layers.lay_value(_path_of(key, where), value, where)
            if stated.setdefault(path, key) != key:
                faults.append(Fault(where, key, f"is another name of {stated[path]!r}: give one of the two"))
        except ScenarioError as error:
            faults.extend(error.faults)
    if faults:
        raise ScenarioError(faults)


def _each(overrides: Overrides, faults: list[Fault]) -> Iterator[tuple[str, str, Any]]:
    """Split overrides into their place, the dotted path and the value."""
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            yield f"{key}={value!r}", key, _plain(value, key, faults)
        return
    for text in [overrides] if isinstance(overrides, str) else overrides:
        where = f"--set {text if len(text) <= _SHOWN else f'{text[: _SHOWN - 1]}…'}"
        key, equals, value = text.partition("=")
        if not equals:
            faults.append(Fault(where, "", "must be of the form path.to.key=value"))
            continue
        try:
            yield where, key.strip(), read_scalar(value, where)
        except ScenarioError as error:
            faults.extend(error.faults)


def _plain(value: object, key: str, faults: list[Fault]) -> Any:  # noqa: ANN401 - any plain data
    """Turn a Python value (a time, a tuple, settings of a component) into the data of a file."""
    try:
        return to_jsonable_python(value, inf_nan_mode="constants")
    except PydanticSerializationError:
        faults.append(Fault("", key, f"a {type(value).__name__} cannot stand in a scenario file"))
        return None


def _path_of(key: str, where: str) -> tuple[str, ...]:
    path = tuple(key.split("."))
    if not all(path):
        raise ScenarioError([Fault(where, "", f"{key!r} is not a path such as clock.hours")])
    if path[0] == "extends":
        raise ScenarioError([Fault(where, dotted(path), "can only be set in a file")])
    return path
