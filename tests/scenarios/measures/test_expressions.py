"""Claims about the language of expressions: what it understands, and that it understands nothing else."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings, strategies as st

from scenarios.errors import UndefinedMeasureError
from scenarios.measures.expressions import (
    ExpressionError,
    Reference,
    compared,
    evaluate,
    parse_comparison,
    parse_expression,
    references,
)

VALUES = {"x": 3.0, "counts.y": 5.0}


def value(text: str) -> float:
    """The value of an expression in which x is 3 and counts.y is 5."""
    return evaluate(parse_expression(text), lambda reference: VALUES[reference.name])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", 2.0),
        ("1.5e2", 150.0),
        ("x + 2 * counts.y", 13.0),
        ("(x + 2) * counts.y", 25.0),
        ("x - 1 - 1", 1.0),
        ("12 / x / 2", 2.0),
        ("-x", -3.0),
        ("--x", 3.0),
        ("-x * -counts.y", 15.0),
        (" x\n + 1 ", 4.0),
        ("(" * 20 + "1" + ")" * 20, 1.0),
    ],
)
def test_arithmetic_is_that_of_python(text: str, expected: float) -> None:
    """Precedence, association and signs are as in Python; a line may break anywhere."""
    assert value(text) == expected


# With a point, since Python's whole numbers are exact at any size and ours are not; and of a size that a dozen of them
# cannot overflow, since we refuse an infinite number at once, and Python may yet divide by it.
_NUMBERS = (st.floats(1e-3, 1e6) | st.just(0.0)).map(repr)
_ARITHMETIC = st.recursive(
    _NUMBERS,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=12,
)


@given(_ARITHMETIC)
def test_every_arithmetic_expression_has_the_value_that_python_gives_it(text: str) -> None:
    """Whatever is put together of numbers and signs has Python's value, or is undefined where Python divides by 0."""
    try:
        expected = float(eval(text))  # noqa: S307 - numbers and signs that we have put together ourselves
    except ZeroDivisionError:
        with pytest.raises(UndefinedMeasureError, match="division by zero"):
            value(text)
    else:
        assert value(text) == expected


@settings(max_examples=50)  # each costs some 10 ms
@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    """No text ends in any other error than the one that says so."""
    for parse in (parse_expression, parse_comparison):
        with suppress(ExpressionError):
            assert parse(text)


def test_a_call_has_constants_for_arguments() -> None:
    """Texts and numbers, in order and by name; a minus sign is part of a number, a '#' in quotes of its text."""
    call = parse_expression('f.g("/a#b", -2, b="c", d=0.5)')
    assert isinstance(call, Reference)
    assert (call.name, call.is_call, call.arguments) == ("f.g", True, ("/a#b", -2.0))
    assert call.keywords == (("b", "c"), ("d", 0.5))


def test_references_are_told_from_left_to_right() -> None:
    """Each use of a name is one reference, in the order of reading."""
    found = references(parse_expression("(a + 1) / b.c - f() * a"))
    assert [reference.name for reference in found] == ["a", "b.c", "f", "a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not an expression"),
        ("1 +", "is not an expression: invalid syntax"),
        ("x ** 2", r"'x \*\* 2' is not supported"),
        ("x % 2", "is not supported"),
        ("x // 2", "is not supported"),
        ("+x", "is not supported"),
        ("not x", "is not supported"),
        ("x if x else 1", "is not supported"),
        ("x and x", "is not supported"),
        ("lambda: 1", "is not supported"),
        ("[1]", "is not supported"),
        ("x[0]", "is not supported"),
        ("f'{x}'", "is not supported"),
        ("(y := 1)", "is not supported"),
        ("x < 1", "is not supported"),
        ("'text'", "'text' is not a number"),
        ("True", "True is not a number"),
        ("None", "None is not a number"),
        ("1j", "1j is not a number"),
        ("1e999", "too large"),
        ("9" * 400, "too large"),
        ("f(x)", "the argument x must be a string in quotes or a number"),
        ("f(a=x + 1)", r"the argument x \+ 1 must be"),
        ("f(a=True)", "True is not a number"),
        ("f(*x)", r"the argument \*x must be"),
        ("f(**x)", "arguments must be constants"),
        ("f(a=1, a=2)", "an argument is given twice"),
        ("f()()", r"'f\(\)' is not a name"),
        ("'a'.join('b')", "is not a name"),
        ("__import__('os').system('ls')", "is not a name"),
        ("(" * 300 + "1" + ")" * 300, "is not an expression|nested too deeply"),
        ("1 + " * 300 + "1", "has more than 1,000 characters"),
        ("x\0", "is not an expression"),
        ("-" * 200 + "1", "is nested too deeply"),
        ("counts.visitors  # at least\n+ 100", "contains a '#'"),
    ],
)
def test_everything_else_is_refused(text: str, message: str) -> None:
    """What the language does not have, or what would swallow the rest, is reported in one sentence, and never run."""
    with pytest.raises(ExpressionError, match=message):
        parse_expression(text)


def test_a_comparison_is_a_chain_of_signs() -> None:
    """Two sides or more, and the signs between them."""
    sides, signs = parse_comparison("1 <= x < counts.y != 7")
    assert len(sides) == 4
    assert signs == ("<=", "<", "!=")


@pytest.mark.parametrize("text", ["x", "x < 1 and x > 0", "not x < 1", "", "x <", "x in y", "x is y", "x not in y"])
def test_what_compares_no_numbers_is_no_comparison(text: str) -> None:
    """A claim must be a comparison, and one alone; membership and identity are no comparisons of numbers."""
    with pytest.raises(ExpressionError, match=r"is not a|numbers are compared by < <= > >= == !="):
        parse_comparison(text)


@pytest.mark.parametrize(
    ("values", "signs", "holds"),
    [
        ((1, 2), ("<",), True),
        ((2, 2), ("<",), False),
        ((2, 2), ("<=",), True),
        ((3, 2), (">",), True),
        ((2, 2), (">=",), True),
        ((2, 2), ("==",), True),
        ((2, 2), ("!=",), False),
        ((1, 2, 3), ("<", "<"), True),
        ((1, 3, 2), ("<", "<"), False),
        ((3, 1, 2), ("<", "<"), False),
    ],
)
def test_a_chain_holds_if_every_link_does(values: tuple[float, ...], signs: tuple[str, ...], holds: bool) -> None:  # noqa: FBT001
    """Each sign compares its two neighbours."""
    assert compared(values, signs) is holds


@pytest.mark.parametrize("text", ["1 / (x - 3)", "1e300 * 1e300", "0 / 0"])
def test_what_is_no_number_is_undefined(text: str) -> None:
    """Division by zero and overflow give no number, and say so."""
    with pytest.raises(UndefinedMeasureError, match=r"division by zero|is not a finite number"):
        value(text)
