"""Expressions of measures: names, calls with constants, arithmetic and comparisons, in Python's notation.

An expression is parsed by Python's parser and then converted node by node. Anything that is not in the list below is
refused, and nothing is executed as code. Names are resolved by the registry.

- numbers: ``240``, ``0.015``, ``1e6``
- names, with a dot or without: ``counts.visitors``
- calls with constants: ``conversion(region="europe")``, ``hourly("page_views", "max", start=9)``
- ``+ - * /``, unary minus, parentheses
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
from analytics.renaming import current_name
from analytics.signals.definitions import current_term
from scenarios.errors import UndefinedMeasureError

Constant = str | float
"""Type of arguments."""

Result = TypeVar("Result")

_LONGEST: Final = 1000
"""Maximum number of characters; longer texts are mistakes."""

_DEEPEST: Final = 60
"""Maximum depth, so that recursive evaluation does not overflow the stack."""

_RENAMED: Final = {
    "truth": "true_coefficient",
    "covered": "ci_covers_truth",
    "naive_standard_error": "nonrobust_standard_error",
}
"""Old names of measures that are called, with those that have replaced them."""

_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")


class ExpressionError(ValueError):
    """A text is not a valid expression, or refers to something unknown."""


@dataclass(frozen=True)
class Number:
    """A number as written."""

    value: float


@dataclass(frozen=True)
class Reference:
    """A reference to a measure: a name, or a call.

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
    """Two expressions joined by ``+``, ``-``, ``*`` or ``/``."""

    sign: str
    left: Expression
    right: Expression


Expression = Number | Reference | Operation

# A whitelist: powers, for one, could take all memory.
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
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def parse_expression(text: str) -> Expression:
    """Parse an expression.

    Args:
        text: The expression in Python's notation, at most 1,000 characters.

    Raises:
        ExpressionError: It is invalid; the message says where.

    >>> parse_expression("counts.demo_requests / 2").sign
    '/'
    """
    return _guarded(text, _expression)


def parse_comparison(text: str) -> tuple[tuple[Expression, ...], tuple[str, ...]]:
    """Parse a comparison of two or more expressions.

    Args:
        text: The comparison, such as ``240 <= counts.demo_requests <= 380``.

    Returns:
        The expressions, and the signs between them.

    Raises:
        ExpressionError: It is invalid; the message says where.

    >>> parse_comparison("1 < sales.held <= 9")[1]
    ('<', '<=')
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
    """Yield all references of an expression, from left to right.

    >>> [each.name for each in references(parse_expression("sales.held / (sales.held + sales.missed)"))]
    ['sales.held', 'sales.held', 'sales.missed']
    """
    match expression:
        case Reference():
            yield expression
        case Operation(_, left, right):
            yield from references(left)
            yield from references(right)


def evaluate(expression: Expression, read: Callable[[Reference], float]) -> float:
    """Evaluate an expression.

    Args:
        expression: The expression.
        read: Function that returns the value of a reference.

    Raises:
        UndefinedMeasureError: A reference has no value, a divisor is zero, or a result is not finite.

    >>> evaluate(parse_expression("sales.held * 2"), lambda reference: 21.0)
    42.0
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
            # The result of two finite numbers may overflow.
            return _finite(_MEANING[sign](*numbers), f"{numbers[0]:g} {sign} {numbers[1]:g}")


def compared(values: tuple[float, ...], signs: tuple[str, ...]) -> bool:
    """Return whether a chain of comparisons is true.

    Args:
        values: Values, from left to right.
        signs: Signs between them, one fewer.

    >>> compared((1.0, 1.5, 2.0), ("<=", "<"))
    True
    """
    return all(_COMPARE[sign](*pair) for sign, *pair in zip(signs, values, values[1:], strict=False))


def _finite(value: float, what: str) -> float:
    """Return a value if it is finite.

    Raises:
        UndefinedMeasureError: It is not, as after an overflow.
    """
    if not math.isfinite(value):
        raise UndefinedMeasureError(f"{what} is not a finite number")
    return value


def _guarded(text: str, convert: Callable[[ast.expr], Result]) -> Result:
    """Parse a text and convert its tree; every failure becomes an ExpressionError."""
    if len(text) > _LONGEST:
        raise ExpressionError(f"has more than {_LONGEST:,} characters")
    try:
        with warnings.catch_warnings():
            # Python warns of invalid escapes such as "\d", which are plain characters here.
            warnings.simplefilter("ignore")
            # YAML may break an expression into lines, where Python's parser would end it.
            tree = ast.parse(text.replace("\n", " ").strip(), mode="eval")
        if _depth(tree) > _DEEPEST:
            raise ExpressionError("is nested too deeply")
        # Python's parser has dropped what follows it, and a reader would not know.
        if "#" in _QUOTED.sub("", text):
            raise ExpressionError("contains a '#', which would start a comment")
        return convert(tree.body)
    except SyntaxError as error:
        place = f" at {error.text[max(error.offset - 1, 0) :].strip()!r}" if error.text and error.offset else ""
        raise ExpressionError(f"is not an expression: {error.msg}{place}") from None
    except (RecursionError, MemoryError):
        raise ExpressionError("is nested too deeply") from None
    except OverflowError:
        raise ExpressionError("contains a number that is too large") from None
    # Python's parser refuses null bytes with this kind of error.
    except ValueError as error:
        raise (
            error if isinstance(error, ExpressionError) else ExpressionError(f"is not an expression: {error}")
        ) from None


def _depth(tree: ast.AST) -> int:
    """Return the depth of a tree, without recursion, which is what the depth is limited for.

    >>> _depth(ast.parse("1 + 2", mode="eval"))
    3
    """
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _expression(node: ast.expr) -> Expression:
    """Convert a node of Python's syntax tree, and those below it.

    Raises:
        ExpressionError: It is none of those that an expression may hold.
    """
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
            # As a subtraction, so that evaluation needs no further kind of node.
            return Operation("-", Number(0.0), _expression(operand))
    raise ExpressionError(f"{ast.unparse(node)!r} is not supported; use numbers, names, calls, + - * / and ()")


def _call(node: ast.Call) -> Reference:
    """Convert a call, under the current names of the measure, its dimensions and its terms.

    Raises:
        ExpressionError: An argument is no constant, or is given twice.
    """
    keywords = []
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ExpressionError(f"{ast.unparse(node)!r}: arguments must be constants")
        keywords.append((current_dimension(keyword.arg), _constant(keyword.value)))
    # Python's parser accepts a repeated keyword; only its compiler refuses it.
    if len(dict(keywords)) < len(keywords):
        raise ExpressionError(f"{ast.unparse(node)!r}: an argument is given twice")
    values = (_constant(argument) for argument in node.args)
    # A term of the intent model may hold an old name; no other argument is one.
    arguments = tuple(current_term(value) if isinstance(value, str) else value for value in values)
    name = current_name(_name(node.func), _RENAMED, "measure")
    return Reference(name, ast.unparse(node), is_call=True, arguments=arguments, keywords=tuple(keywords))


def _name(node: ast.expr) -> str:
    """Return a name with its dots, as written.

    Raises:
        ExpressionError: The node is something else.
    """
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
    raise ExpressionError(f"the argument {ast.unparse(node)} must be a string in quotes or a number")


def _number(node: ast.Constant) -> float:
    # True is an int in Python, but no number to a reader.
    if isinstance(node.value, bool) or not isinstance(node.value, int | float):
        raise ExpressionError(f"{ast.unparse(node)} is not a number")
    if not math.isfinite(node.value):
        raise ExpressionError("contains a number that is too large")
    return float(node.value)
