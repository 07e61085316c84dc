"""Runs the notebooks again and keeps what they show: ``python -m notebooks.execute``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

__all__ = ["HERE", "executed", "text_of"]

HERE = Path(__file__).parent
_TIMEOUT_S = 120


def executed(path: Path) -> nbformat.NotebookNode:
    """Run a notebook from top to bottom in an empty folder of its own.

    Args:
        path: The notebook; it is not written on.

    Returns:
        The notebook with what it has shown, and with nothing in it that another run would not have: no times, no
        version of Python, no outputs that came in parts.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell has failed.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=_TIMEOUT_S,
            kernel_name="python3",
            # The kernel would say each time that its ports, of this machine alone, are not encrypted.
            extra_arguments=["--IPKernelApp.log_level=40"],
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": folder}},
        )
        # Notebooks see this very copy of the project, installed or not, and draw no colours for a terminal.
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
    """The notebook as its file has it."""
    return nbformat.writes(notebook, indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Run all notebooks, or those named on the command line, and write them anew."""
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(HERE.glob("*.ipynb")):
        path.write_text(text_of(executed(path)), encoding="utf-8")
        sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main()
