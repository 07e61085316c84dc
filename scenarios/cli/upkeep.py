"""Commands that check what is kept on the disk, and salvage it: verify and recover."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from analytics.errors import Damage
from scenarios.cli.options import JsonOutput
from scenarios.cli.output import Output
from scenarios.cli.text.tables import Page
from scenarios.files.plain_data import shown_json
from scenarios.verification import recover as recover_from, verify as verify_at

KeptPath = Annotated[
    Path,
    typer.Argument(metavar="FOLDER", help="Folder of a run, analysis, export, study or store, or --resume file."),
]


def verify(folder: KeptPath, *, json: JsonOutput = False) -> Output:
    """Check that a folder is what was written.

    Exit status 1 says that it is not.
    """
    found = verify_at(folder)
    status = 1 if found.damages else 0
    if json:
        return Output(shown_json(found.to_dict()), status=status)
    checked = (f"  {text}" for text in found.checked)
    lines = [f"{folder} ({found.kind})", *checked, *_damage_lines(found.damages), "" if status else "no damage"]
    return Output(Page(filter(None, lines)), is_summary=not status, status=status)


def recover(folder: KeptPath, *, json: JsonOutput = False) -> Output:
    """Salvage what can be of a damaged folder.

    Exit status 1 says that some damage is left.
    """
    found = recover_from(folder)
    status = 1 if found.left else 0
    if json:
        return Output(shown_json(found.to_dict()), status=status)
    lines = [*found.done, *_damage_lines(found.left)] or ["nothing to do: no damage"]
    return Output(Page(lines), is_summary=not status, status=status)


def _damage_lines(damages: Sequence[Damage]) -> list[str]:
    return [f"damage: {damage}" for damage in damages]
