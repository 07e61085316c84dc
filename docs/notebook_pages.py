"""Puts the notebooks among the pages of the documentation site, as they are stored: with what they have shown."""

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
    """Add a page for each notebook; called by MkDocs once it knows the other pages."""
    for path in sorted(_NOTEBOOKS.glob("*.ipynb")):
        files.append(File.generated(config, f"tutorial/{path.stem}.md", content=page_of(path)))
    return files


def page_of(path: Path) -> str:
    """Write a notebook as Markdown; what it shows as HTML stays HTML."""
    text, _ = MarkdownExporter().from_notebook_node(nbformat.read(path, as_version=4))
    # A blank line would end the HTML: what follows would be taken for Markdown, and indented parts for code.
    return re.sub(
        r"<(div|svg|table)\b.*?</\1>", lambda found: re.sub(r"\n\s*", "\n", found.group()), text, flags=re.DOTALL
    )
