"""A small language for numbers: names, calls with constants, arithmetic and comparisons, in Python's own notation.

An expression is read with Python's parser and then taken apart node by node; whatever is not in the list below is
refused, and nothing is ever run as code. What the names stand for is decided elsewhere.

- numbers: ``240``, ``0.015``, ``1e6``
- names, with a dot or without: ``counts.visitors``
- calls with constants: ``conversion(region="europe")``, ``hourly("page_views", "max", start=9)``
- ``+ - * /``, a minus sign in front, parentheses
- in comparisons: ``< <= > >= == !=``, chained as in ``1 <= x < 2``
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from analytics.events.dimensions import current_dimension
from scenarios.errors import UndefinedMeasureError

__all__ = [
    "Constant",
    "Expression",
    "ExpressionError",
    "Number",
    "Operation",
    "Reference",
    "compared",
    "evaluate",
    "parse_comparison",
    "parse_expression",
    "references",
]

Constant = str | float
"""What an argument may be."""

Result = TypeVar("Result")

_LONGEST: Final = 1000
"""Characters of an expression; what is longer was given by mistake."""

_DEEPEST: Final = 60
"""Levels of an expression; whoever evaluates it must not run out of stack."""

_RENAMED: Final = {
    "truth": "true_coefficient",
    "covered": "ci_covers_truth",
    "naive_standard_error": "nonrobust_standard_error",
}
"""Old names of measures that are called, with those that have replaced them."""

_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")


class ExpressionError(ValueError):
    """A text that is not an expression of the language, or speaks of something that there is not."""


@dataclass(frozen=True)
class Number:
    """A number as written."""

    value: float


@dataclass(frozen=True)
class Reference:
    """Something that has a value: a name, or a call.

    Args:
        name: Name, such as ``conversion`` or ``counts.visitors``.
        text: The whole as written.
        is_call: Whether parentheses follow the name.
        arguments: Constants in the parentheses, in order.
        keywords: Constants in the parentheses that are named.
    """

    name: str
    text: str
    is_call: bool = False
    arguments: tuple[Constant, ...] = ()
    keywords: tuple[tuple[str, Constant], ...] = ()


@dataclass(frozen=True)
class Operation:
    """Two expressions put together by ``+``, ``-``, ``*`` or ``/``."""

    sign: str
    left: Expression
    right: Expression


Expression = Number | Reference | Operation

_ARITHMETIC: Final[Mapping[type[ast.AST], str]] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISONS: Final[Mapping[type[ast.AST], str]] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_MEANING: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_HOLDS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def parse_expression(text: str) -> Expression:
    """Read an expression.

    Raises:
        ExpressionError: It is none; the message says what is not understood.
    """
    return _guarded(text, _expression)


def parse_comparison(text: str) -> tuple[tuple[Expression, ...], tuple[str, ...]]:
    """Read a comparison of two or more expressions: the expressions, and the signs between them.

    Raises:
        ExpressionError: It is none; the message says what is not understood.
    """

    def comparison(node: ast.expr) -> tuple[tuple[Expression, ...], tuple[str, ...]]:
        if not isinstance(node, ast.Compare):
            raise ExpressionError("is not a comparison, such as 240 <= counts.demo_requests <= 380")
        for sign in node.ops:
            if type(sign) not in _COMPARISONS:
                raise ExpressionError(f"numbers are compared by {' '.join(_COMPARISONS.values())}")
        sides = tuple(_expression(side) for side in (node.left, *node.comparators))
        return sides, tuple(_COMPARISONS[type(sign)] for sign in node.ops)

    return _guarded(text, comparison)


def references(expression: Expression) -> Iterator[Reference]:
    """All references of an expression, from left to right."""
    match expression:
        case Reference():
            yield expression
        case Operation(_, left, right):
            yield from references(left)
            yield from references(right)


def evaluate(expression: Expression, read: Callable[[Reference], float]) -> float:
    """Work an expression out.

    Args:
        expression: The expression.
        read: Returns the value of a reference.

    Raises:
        UndefinedMeasureError: A reference has no value, the divisor is zero, or the result is not a finite number.
    """
    match expression:
        case Number(value):
            return value
        case Reference():
            return _finite(read(expression), expression.text)
        case Operation(sign, left, right):
            numbers = evaluate(left, read), evaluate(right, read)
            if sign == "/" and numbers[1] == 0:
                raise UndefinedMeasureError("division by zero")
            return _finite(_MEANING[sign](*numbers), f"{numbers[0]:g} {sign} {numbers[1]:g}")


def compared(values: tuple[float, ...], signs: tuple[str, ...]) -> bool:
    """Whether a chain of comparisons holds, as in ``1 <= x < 2``; one value more than signs."""
    return all(_HOLDS[sign](*pair) for sign, *pair in zip(signs, values, values[1:], strict=False))


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise UndefinedMeasureError(f"{what} is not a finite number")
    return value


def _guarded(text: str, convert: Callable[[ast.expr], Result]) -> Result:
    """Parse a text and convert its tree, neither of which may end in anything but an ExpressionError."""
    if len(text) > _LONGEST:
        raise ExpressionError(f"has more than {_LONGEST:,} characters")
    try:
        with warnings.catch_warnings():
            # Python warns of what it may refuse one day, such as "\d"; to us these are characters.
            warnings.simplefilter("ignore")
            # An expression may be broken into lines anywhere; to Python it would end there.
            tree = ast.parse(text.replace("\n", " ").strip(), mode="eval")
        if _depth(tree) > _DEEPEST:
            raise ExpressionError("is nested too deeply")
        if "#" in _QUOTED.sub("", text):
            raise ExpressionError("holds a '#'; a comment would hide the rest of it")
        return convert(tree.body)
    except SyntaxError as error:
        place = f" at {error.text[max(error.offset - 1, 0) :].strip()!r}" if error.text and error.offset else ""
        raise ExpressionError(f"is not an expression: {error.msg}{place}") from None
    except (RecursionError, MemoryError):
        raise ExpressionError("is nested too deeply") from None
    except OverflowError:
        raise ExpressionError("holds a number that is too large") from None
    except ValueError as error:
        raise (
            error if isinstance(error, ExpressionError) else ExpressionError(f"is not an expression: {error}")
        ) from None


def _depth(tree: ast.AST) -> int:
    """How many levels a tree has, counted without recursion."""
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _expression(node: ast.expr) -> Expression:
    match node:
        case ast.Constant():
            return Number(_number(node))
        case ast.Name() | ast.Attribute():
            return Reference(_name(node), ast.unparse(node))
        case ast.Call():
            return _call(node)
        case ast.BinOp(left, sign, right) if type(sign) in _ARITHMETIC:
            return Operation(_ARITHMETIC[type(sign)], _expression(left), _expression(right))
        case ast.UnaryOp(ast.USub(), operand):
            return Operation("-", Number(0.0), _expression(operand))
    raise ExpressionError(f"{ast.unparse(node)!r} is not understood; there are numbers, names, calls, + - * / and ()")


def _call(node: ast.Call) -> Reference:
    keywords = []
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ExpressionError(f"{ast.unparse(node)!r}: arguments must be constants")
        keywords.append((current_dimension(keyword.arg), _constant(keyword.value)))
    if len(dict(keywords)) < len(keywords):
        raise ExpressionError(f"{ast.unparse(node)!r}: an argument is given twice")
    arguments = tuple(_constant(argument) for argument in node.args)
    name = _current(_name(node.func), _RENAMED)
    return Reference(name, ast.unparse(node), is_call=True, arguments=arguments, keywords=tuple(keywords))


def _current(name: str, renamed: Mapping[str, str]) -> str:
    """The name that is used now, with a warning where it is another one."""
    if name not in renamed:
        return name
    message = f"the measure {name!r} is now called {renamed[name]!r}; the next version will not accept the old name"
    warnings.warn(message, FutureWarning, stacklevel=2)
    return renamed[name]


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(inner, name):
            return f"{_name(inner)}.{name}"
    raise ExpressionError(f"{ast.unparse(node)!r} is not a name, such as counts.visitors")


def _constant(node: ast.expr) -> Constant:
    match node:
        case ast.Constant(str() as text):
            return text
        case ast.Constant():
            return _number(node)
        case ast.UnaryOp(ast.USub(), ast.Constant() as inner):
            return -_number(inner)
    raise ExpressionError(f"the argument {ast.unparse(node)} must be a text in quotes or a number")


def _number(node: ast.Constant) -> float:
    if isinstance(node.value, bool) or not isinstance(node.value, int | float):
        raise ExpressionError(f"{ast.unparse(node)} is not a number")
    if not math.isfinite(node.value):
        raise ExpressionError("holds a number that is too large")
    return float(node.value)
