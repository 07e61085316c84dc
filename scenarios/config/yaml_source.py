"""YAML 1.2 text as plain data with the place of each value.

The nodes of the document are read, not the objects that a YAML library would make of them: so a place is known for
every key and item, a key given twice is refused instead of the last one winning, and dates stay text as written. Merge
keys (``<<: *base``) are merged, as in YAML 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from scenarios.errors import Fault, ScenarioError

Path = tuple[str | int, ...]
"""Way to a value: keys of mappings and positions in lists, counted from 0."""

_TAG: Final = "tag:yaml.org,2002:"
_TEXT_TAGS: Final = frozenset({"str", "timestamp"})
_CONSTRUCTED_TAGS: Final = frozenset({"int", "float", "bool", "null"})
_MERGE: Final = f"{_TAG}merge"
"""Tag of an unquoted ``<<``: YAML 1.2 no longer has merge keys, but people write them."""

_MOST_LINES: Final = 20_000
_MOST_NODES: Final = 40_000
"""Lines, and keys and values, that a file may have as it is written: the parser reads a few thousand a second."""

_LARGEST_INTEGER_BITS: Final = 1000
"""Size of the largest whole number; Python refuses to write one of 4,300 digits."""

_MOST_VALUES: Final = 100_000
"""Values a file may hold once its aliases are written out; more is a mistake, or an attack."""


@dataclass(frozen=True)
class YamlSource:
    """The data of a YAML text, and the place of each value.

    Args:
        name: Name of the file, as messages show it.
        data: Mappings, lists, text, numbers, booleans and None.
        places: Line and column, counted from 1, at which each key or list item begins.
    """

    name: str
    data: Any
    places: Mapping[Path, tuple[int, int]]

    def where(self, path: Path) -> str:
        """Return the place of a value as ``file:line:column``; of the nearest value around it when it is not stated.

        Args:
            path: The path of the value.
        """
        while path and path not in self.places:
            path = path[:-1]
        line, column = self.places.get(path, (1, 1))
        return f"{self.name}:{line}:{column}"


def dotted(path: Path) -> str:
    """Write a path as ``site.pages[2].name``.

    >>> dotted(("site", "pages", 2, "name"))
    'site.pages[2].name'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read_yaml(text: str, name: str) -> YamlSource:
    """Read one YAML 1.2 document.

    Args:
        text: The document.
        name: Name of the file, for messages.

    Raises:
        ScenarioError: It is not YAML, holds several documents, or gives a key twice; with the line and column.

    >>> source = read_yaml("{clock: {hours: 3}}", "own.yaml")
    >>> source.data, source.where(("clock", "hours"))
    ({'clock': {'hours': 3}}, 'own.yaml:1:10')
    """
    reader = _Reader(name)
    return YamlSource(name, reader.read(text), reader.places)


def read_scalar(text: str, name: str) -> Any:  # noqa: ANN401 - any value that YAML can write
    """Read the value of a ``--set key=value``, which is YAML as well: ``20000``, ``[a, b]``, ``{start: 2026-03-03}``.

    Args:
        text: The value as written.
        name: Place of the value in messages.

    Raises:
        ScenarioError: It is not YAML; ``name`` is given as the place.

    >>> read_scalar("[1, no]", "--set x=[1, no]")
    [1, 'no']
    """
    try:
        return read_yaml(text, name).data
    except ScenarioError as error:
        # A line and column within one argument would help less than the argument itself.
        raise ScenarioError(Fault(name, fault.path, fault.message) for fault in error.faults) from None


class _Composer(Composer):
    """A composer of nodes that stops at too many, and puts the halves of characters together."""

    _n_nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - ruamel's own
        self._n_nodes += 1
        if self._n_nodes > _MOST_NODES:
            mark = self.parser.peek_event().start_mark
            raise MarkedYAMLError(problem=f"more than {_MOST_NODES:,} keys and values", problem_mark=mark)
        return super().compose_node(parent, index)

    def compose_scalar_node(self, anchor: Any) -> ScalarNode:  # noqa: ANN401 - ruamel's own
        node: ScalarNode = super().compose_scalar_node(anchor)
        # JSON writes a character beyond the first plane as two escapes, which ruamel leaves as two halves.
        node.value = node.value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return node


class _Reader:
    """Turns the nodes of one document into plain data and notes their places.

    All faults of the document are collected, so that they can be reported together.

    Args:
        name: Name of the text in messages.

    Attributes:
        places: Line and column of each key and item, from 1.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[Path, tuple[int, int]] = {}
        self._faults: list[Fault] = []
        self._n_values = 0
        self._open: set[int] = set()
        self._yaml = YAML(typ="safe", pure=True)
        self._yaml.Composer = _Composer

    def read(self, text: str) -> Any:  # noqa: ANN401
        root = self._compose(text)
        data = None if root is None else self._value(root, ())
        if self._faults:
            raise ScenarioError(self._faults)
        return data

    def _compose(self, text: str) -> Node | None:
        n_lines = text.count("\n")
        if n_lines > _MOST_LINES:
            raise ScenarioError([Fault(self.name, "", f"has {n_lines:,} lines; at most {_MOST_LINES:,} are read")])
        try:
            root: Node | None = self._yaml.compose(text)
        except MarkedYAMLError as error:
            raise ScenarioError([_syntax_fault(error, self.name)]) from None
        except (YAMLError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ScenarioError([Fault(f"{self.name}:1:1", "", f"not readable as YAML: {reason}")]) from None
        except RecursionError:
            raise ScenarioError([Fault(f"{self.name}:1:1", "", "nested too deeply")]) from None
        return root

    def _value(self, node: Node, path: Path) -> Any:  # noqa: ANN401
        if isinstance(node, ScalarNode):
            self._count(node, path)
            return self._scalar(node, path)
        with self._opened(node, path):
            return self._mapping(node, path) if isinstance(node, MappingNode) else self._list(node, path)

    @contextmanager
    def _opened(self, node: Node, path: Path) -> Iterator[None]:
        """Enter a mapping or list, of which the tag is checked like that of a scalar."""
        # Nodes on the way from the root: meeting one again is an alias that contains itself.
        if id(node) in self._open:
            raise ScenarioError([*self._faults, self._fault(node, path, "an alias that holds itself")])
        self._count(node, path)
        if str(node.tag) != f"{_TAG}{'map' if isinstance(node, MappingNode) else 'seq'}":
            self._refuse_tag(node, path)
        self._open.add(id(node))
        yield
        self._open.discard(id(node))

    def _count(self, node: Node, path: Path) -> None:
        self._n_values += 1
        if self._n_values > _MOST_VALUES:
            raise ScenarioError([*self._faults, self._fault(node, path, f"more than {_MOST_VALUES:,} values")])

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in self._pairs(node, path):
            inner = (*path, str(key_node.value))
            if inner[-1] in result:
                first = self.places[inner][0]
                self._faults.append(self._fault(key_node, inner, f"given twice (first in line {first})"))
            else:
                self._add(result, key_node, value_node, inner)
        # What the mapping itself states comes before what it merges, wherever the merge key stands.
        for key_node, value_node in self._merged(node, path):
            if key_node.value not in result:
                self._add(result, key_node, value_node, (*path, str(key_node.value)))
        return result

    def _add(self, result: dict[str, Any], key_node: ScalarNode, value_node: Node, path: Path) -> None:
        self.places[path] = _place(key_node)
        result[str(key_node.value)] = self._value(value_node, path)

    def _pairs(self, node: MappingNode, path: Path) -> Iterator[tuple[ScalarNode, Node]]:
        """Keys and values that a mapping states itself; merge keys are no keys of its own."""
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._faults.append(self._fault(key_node, path, "a key must be a single word"))
            elif key_node.tag != _MERGE:
                if not str(key_node.tag).startswith(_TAG):
                    self._refuse_tag(key_node, (*path, str(key_node.value)))
                yield key_node, value_node

    def _merged(self, node: MappingNode, path: Path) -> Iterator[tuple[ScalarNode, Node]]:
        """Keys and values that a mapping merges (``<<: *base``, ``<<: [*first, *second]``); the first of a key counts.

        Source: https://yaml.org/type/merge.html.
        """
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for base in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                    if not isinstance(base, MappingNode):
                        self._faults.append(self._fault(base, (*path, "<<"), "merges mappings only, as in <<: *base"))
                        continue
                    with self._opened(base, (*path, "<<")):
                        yield from self._pairs(base, path)
                        yield from self._merged(base, path)

    def _list(self, node: Node, path: Path) -> list[Any]:
        assert isinstance(node, SequenceNode)  # noqa: S101 - YAML knows three kinds of nodes
        for position, item in enumerate(node.value):
            self.places[*path, position] = _place(item)
        return [self._value(item, (*path, position)) for position, item in enumerate(node.value)]

    def _scalar(self, node: ScalarNode, path: Path) -> Any:  # noqa: ANN401
        kind = str(node.tag).removeprefix(_TAG)
        if kind in _TEXT_TAGS:
            return str(node.value)
        if kind not in _CONSTRUCTED_TAGS:
            self._refuse_tag(node, path)
            return None
        try:
            value = self._yaml.constructor.construct_object(node)
        except (YAMLError, ValueError, KeyError):
            self._faults.append(self._fault(node, path, f"{_short(node)} is not a value of type {kind}"))
            return None
        if isinstance(value, int) and value.bit_length() > _LARGEST_INTEGER_BITS:
            self._faults.append(self._fault(node, path, f"{_short(node)} is too large a number"))
            return None
        return value

    def _refuse_tag(self, node: Node, path: Path) -> None:
        self._faults.append(self._fault(node, path, f"the tag {node.tag} is not understood"))

    def _fault(self, node: Node, path: Path, message: str) -> Fault:
        line, column = _place(node)
        return Fault(f"{self.name}:{line}:{column}", dotted(path), message)


def _short(node: ScalarNode) -> str:
    text = repr(node.value)
    return text if len(text) <= 80 else f"{text[:79]}…"  # noqa: PLR2004 - a line of a terminal


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _syntax_fault(error: MarkedYAMLError, name: str) -> Fault:
    """Describe a parser error and its place in one line.

    Args:
        error: The error of the parser.
        name: Name of the text in messages.
    """
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else f"{name}:1:1"
    problem = str(error.problem or error)
    if "another document" in problem:
        return Fault(where, "", "a second document begins here; a file holds one")
    if r"'\t'" in problem:
        return Fault(where, "", "a tab cannot indent YAML; use spaces")
    # Other messages of the parser are clear enough with their context.
    context = f" ({error.context})" if error.context else ""
    return Fault(where, "", f"not valid YAML: {problem}{context}")
