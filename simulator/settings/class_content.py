"""Content of a class as it is loaded: code and data on which its methods depend, in words that any process repeats."""

from __future__ import annotations

import dataclasses
import dis
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cached_property, lru_cache, partial
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from simulator.settings.plugins import distributions

_PLAIN: Final = frozenset(
    {str, bytes, bool, int, float, complex, range, date, datetime, time, timedelta, Decimal, type(None), type(...)}
)
"""Types whose ``repr`` says all, and is the same in every process."""

_PARTS: Final[Mapping[type, tuple[str, ...]]] = {
    property: ("fget", "fset", "fdel"),
    cached_property: ("func",),
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
    MethodType: ("__func__", "__self__"),
    partial: ("func", "args", "keywords"),
    type(lru_cache(len)): ("__wrapped__",),
    re.Pattern: ("pattern", "flags"),
}
"""Attributes that make up an object of each of these types."""


_READS_GLOBAL: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
"""Instructions by which code reads a name of its module; a class within a function does so by the others."""


class ClassContent:
    """Content of a class, line by line; the same in every process, folder and order of hashing.

    It holds the class and its bases: methods with their defaults and closures, attributes, and the functions, classes
    and data of modules that methods name, wherever they lead within the user's own code: the package of the class, and
    files that no package has installed. Of other code it has the names only. Data are numbers, text, dates, arrays of
    NumPy, dataclasses, settings, and containers of those; of any other object it has the name of the type.

    It cannot know what a method imports itself, or finds by a name made while running. Data of a module or class that
    change while running make it another class.

    Args:
        cls: The class.
        source: Returns the digest of the file of a class or function.
    """

    def __init__(self, cls: type, source: Callable[[Any], str | None]) -> None:
        self._bases = [each for each in cls.__mro__ if _top(each.__module__) not in sys.stdlib_module_names]
        self._modules = {each.__module__ for each in self._bases}
        tops = {_top(each) for each in self._modules}
        # Modules of this program itself are many, and manifests hold its version.
        self._packages = {top for top in tops if "funnelsim" not in distributions().get(top, ())}
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        self._folder = str(Path(file).parent) if file else ""
        self._source = source
        self._seen: dict[int, tuple[int, object]] = {}

    def lines(self) -> Iterator[str]:
        """The lines."""
        for each in self._bases:
            yield from self._of(each)

    def _is_own(self, module: str | None) -> bool:
        """Whether the content of functions and classes of a module counts, and not only their names."""
        top = _top(module or "builtins")
        is_installed = top in sys.stdlib_module_names or top in distributions()
        return module in self._modules or top in self._packages or not is_installed

    def _of(self, value: Any) -> Iterator[str]:  # noqa: ANN401 - anything that code can refer to
        """Describe a value."""
        if type(value) in _PLAIN:
            # Where the files lie is no part of what they do.
            yield repr(value.replace(self._folder, "") if isinstance(value, str) and self._folder else value)
        elif isinstance(value, tuple):
            yield from self._named(type(value).__name__, enumerate(value))
        elif isinstance(value, frozenset):
            yield from self._named("frozenset", self._in_order((each, None) for each in value))
        elif id(value) in self._seen:
            yield f"as {self._seen[id(value)][0]}"
        else:
            # With the value, whose id could otherwise become that of another.
            self._seen[id(value)] = (len(self._seen), value)
            yield from self._of_object(value)

    def _of_object(self, value: Any) -> Iterator[str]:  # noqa: ANN401 - likewise
        name = type(value).__qualname__
        if isinstance(value, FunctionType | BuiltinFunctionType | type):
            yield f"{value.__module__}:{value.__qualname__}"
            if isinstance(value, FunctionType | type) and self._is_own(value.__module__):
                yield str(self._source(value))
                yield from self._of_class(value) if isinstance(value, type) else self._of_function(value)
        elif isinstance(value, dict | MappingProxyType):
            yield from self._named(name, self._in_order(value.items()))
        elif isinstance(value, list):
            yield from self._named(name, enumerate(value))
        elif isinstance(value, set):
            yield from self._named(name, self._in_order((each, None) for each in value))
        elif isinstance(value, np.ndarray | np.generic):
            data = value.tolist() if value.dtype.hasobject else value.tobytes()
            yield from self._named(name, {"type": value.dtype.str, "shape": value.shape, "data": data}.items())
        elif isinstance(value, Enum):
            yield from self._named(name, [(value.name, value.value)])
        elif dataclasses.is_dataclass(value) or isinstance(value, BaseModel):
            fields = value.__dataclass_fields__ if dataclasses.is_dataclass(value) else type(value).model_fields
            yield from self._named(name, ((each, getattr(value, each, None)) for each in fields))
        elif type(value) in _PARTS:
            yield from self._named(name, ((each, getattr(value, each)) for each in _PARTS[type(value)]))
        else:
            yield f"{type(value).__module__}:{name}"

    def _named(self, kind: str, values: Iterable[tuple[object, object]]) -> Iterator[str]:
        yield f"{kind}("
        for name, value in values:
            yield from self._of(name)
            yield from self._of(value)
        yield ")"

    def _in_order(self, items: Iterable[tuple[object, object]]) -> list[tuple[object, object]]:
        """Items of a set or mapping in an order that depends on neither hashing nor what was described before."""
        seen, self._seen = self._seen, {}
        ordered = []
        for item in items:
            self._seen.clear()
            ordered.append(("\n".join(self._of(item[0])), item))
        self._seen = seen
        return [item for _, item in sorted(ordered, key=lambda each: each[0])]

    def _of_class(self, cls: type) -> Iterator[str]:
        """Bases of a class, and what stands in its body."""
        yield from self._named("bases", enumerate(cls.__bases__))
        for name, value in sorted(vars(cls).items()):
            # Python and pydantic keep their own in names such as __dict__, but __init__ is the user's.
            if not _is_dunder(name) or isinstance(value, FunctionType | classmethod | staticmethod | property):
                yield name
                yield from self._of(value)

    def _of_function(self, function: FunctionType) -> Iterator[str]:
        """Code of a function, and the values that it uses beside its arguments."""
        yield from self._of_code(function.__code__)
        yield from self._of(function.__defaults__)
        yield from self._of(tuple(sorted((function.__kwdefaults__ or {}).items())))
        yield from self._of(tuple(_content(cell) for cell in function.__closure__ or ()))
        named, attributes = _names(function.__code__)
        yield from self._of_names(named, function.__globals__, attributes)

    def _of_names(
        self, names: frozenset[str], namespace: Mapping[str, object], attributes: frozenset[str]
    ) -> Iterator[str]:
        """Values that a module has under these names; where that is a module too, those of its attributes."""
        for name in sorted(names & namespace.keys()):
            value = namespace[name]
            if _is_dunder(name):
                continue  # __file__ depends on the folder
            yield name
            if not isinstance(value, ModuleType):
                yield from self._of(value)
            else:
                yield value.__name__
                if self._is_own(value.__name__):
                    # Without its name: modules may import one another.
                    yield from self._of_names(attributes - {name}, vars(value), attributes - {name})

    def _of_code(self, code: CodeType) -> Iterator[str]:
        # Not all: line numbers and the file's name change nothing.
        yield f"{code.co_code.hex()} {code.co_exceptiontable.hex()} {code.co_flags} {code.co_argcount}"
        yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
        for constant in code.co_consts:
            yield from self._of_code(constant) if isinstance(constant, CodeType) else self._of(constant)


def _top(module: str) -> str:
    return module.partition(".")[0]


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # not yet assigned


# Kept: reading instructions takes longer than all else here.
@lru_cache(maxsize=4096)
def _names(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """Names of globals that a function uses, those within it included; and all its names, those of attributes too."""
    named = frozenset(each.argval for each in dis.get_instructions(code) if each.opname in _READS_GLOBAL)
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return named.union(*(names for names, _ in inner)), frozenset(code.co_names).union(*(names for _, names in inner))
