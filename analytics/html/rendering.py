"""Rendering of Jinja2 templates: everything is escaped, and a name that a template misspells is an error."""

from __future__ import annotations

from functools import cache
from inspect import getmembers, isfunction
from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from analytics.html import numbers, tables
from analytics.html.escaping import as_text

_LONGEST_TEXT: Final = 1000


def render(template: str, package: str = "analytics.html", **view: object) -> str:
    """Render a template with the values it shows. Equal values make equal bytes.

    Templates can use the functions of :mod:`analytics.html.numbers` as functions and filters, those of
    :mod:`analytics.html.tables` as functions, and the templates of :mod:`analytics.html`.

    Args:
        template: Its file name.
        package: The package whose ``templates`` hold it.
        view: What is shown, by name.
    """
    return _environment(package).get_template(template).render(**view)


@cache
def _environment(package: str) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("analytics.html")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    forms = dict(getmembers(numbers, isfunction))
    environment.filters |= forms
    environment.globals |= forms | {"text": tables.text, "number": tables.number, "formatted": tables.table, "str": str}
    return environment


def _visible(value: object) -> object:
    """Replace what is not for a page, and cut very long texts.

    Names of pages, campaigns and signals come from outside: 10 kB of one, or a mark that reverses the line, would spoil
    the page although it is no markup.
    """
    if hasattr(value, "__html__"):  # rendered already, as what a macro returns
        return value
    # Before the cut, which would leave the half of an address.
    shown = as_text(str(value))
    return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}… ({len(shown):,} characters)"
