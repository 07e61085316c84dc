"""The command model: the logit of an outcome in a table of the user's own."""

from __future__ import annotations

from typing import Annotated

import typer

from analytics.errors import AnalyticsError
from analytics.html.escaping import Rendered
from analytics.intent.model import IntentModel
from scenarios.cli.options import JsonOutput
from scenarios.cli.output import Output
from scenarios.errors import InputError
from scenarios.files.flat_table import read_flat_table
from scenarios.files.plain_data import shown_json


def model(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A Parquet, CSV or NDJSON file; - is standard input.")],
    *,
    outcome: Annotated[str, typer.Option(metavar="COLUMN", help="Column of 0 and 1, or of false and true.")],
    signals: Annotated[
        str | None,
        typer.Option(metavar="A,B,A:B", help="Columns and products of them; by default all columns of numbers."),
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the account, for clustered standard errors.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of frequency weights: equal rows that a row stands for."),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=LEVEL", help="Text column and its reference level; may be repeated."),
    ] = None,
    json: JsonOutput = False,
) -> Output:
    """Fit the logit to a table of your own."""
    chosen = None if signals is None else [name.strip() for name in signals.split(",") if name.strip()]
    # Without a level the first in the order of text is the reference.
    references = {column: level or None for column, _, level in (text.partition("=") for text in category or ())}
    if chosen is not None:
        chosen += [column for column in references if column not in chosen]
    frame = read_flat_table(table)
    try:
        results = IntentModel().fit(
            frame, signals=chosen, outcome=outcome, account=account, weights=weights, categories=references
        )
        return Output(shown_json(results.to_dict()) if json else Rendered(results))
    except AnalyticsError as error:
        raise InputError(f"{table}: {error}") from None
