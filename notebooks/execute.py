"""Executes the notebooks and stores their outputs: ``python -m notebooks.execute``."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
_TIMEOUT_S = 120


def executed(path: Path) -> nbformat.NotebookNode:
    """Execute a notebook from top to bottom in a folder of its own, which has only a copy of ``data``.

    Args:
        path: The notebook; the file stays as it is.

    Returns:
        The notebook with its outputs, without anything that differs between executions: no times, no version of
        Python, and streams in one piece.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE / "data", Path(folder) / "data")
        client = NotebookClient(
            notebook,
            timeout=_TIMEOUT_S,
            kernel_name="python3",
            # At other levels the kernel warns each time that its local ports are not encrypted.
            extra_arguments=["--IPKernelApp.log_level=40"],
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": folder}},
        )
        # Notebooks import this copy of the project, installed or not, and print no terminal colours.
        client.execute(env={**os.environ, "PYTHONPATH": str(HERE.parent), "NO_COLOR": "1"})
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", nbformat.from_dict({})
    return notebook


def text_of(notebook: nbformat.NotebookNode) -> str:
    """The text of a notebook file."""
    return nbformat.writes(notebook, indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Execute all notebooks, or those named on the command line, and write them."""
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(HERE.glob("*.ipynb")):
        path.write_text(text_of(executed(path)), encoding="utf-8")
        sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main()
