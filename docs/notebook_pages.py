"""Adds the notebooks, with their stored outputs, to the pages of the documentation site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import nbformat
from mkdocs.structure.files import File
from nbconvert import MarkdownExporter

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_NOTEBOOKS: Final = Path(__file__).parents[1] / "notebooks"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook; MkDocs calls this when it has collected the other pages."""
    for path in sorted(_NOTEBOOKS.glob("*.ipynb")):
        files.append(File.generated(config, f"tutorial/{path.stem}.md", content=page_of(path)))
    return files


def page_of(path: Path) -> str:
    """Convert a notebook to Markdown; HTML outputs stay HTML."""
    text, _ = MarkdownExporter().from_notebook_node(nbformat.read(path, as_version=4))
    # A blank line would end the HTML block: the rest would be parsed as Markdown, and indented parts as code.
    return re.sub(
        r"<(div|svg|table)\b.*?</\1>", lambda found: re.sub(r"\n\s*", "\n", found.group()), text, flags=re.DOTALL
    )
