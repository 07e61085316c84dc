"""HTML pages as a browser reads them: their elements, and their text as an outline that a golden file can hold."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "input"}
MARKS = {"h1": "# ", "h2": "## ", "h3": "### ", "li": "- ", "dt": "  ", "caption": "table: ", "figcaption": "caption: "}
BLOCKS = {*MARKS, "p", "dd", "tr", "summary", "legend", "label", "title", "strong"}


class Page(HTMLParser):
    """A parsed page; it must close what it opens, and use no identifier twice.

    Args:
        text: The page.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.lines: list[str] = [""]
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], "every element is closed"
        assert len(self.values("id")) == len(set(self.values("id"))), "no drawing borrows from another"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what is opened."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if tag in BLOCKS:
            self.lines.append(MARKS.get(tag, ""))
        if tag in {"td", "th"}:
            self.lines[-1] += " | "
        if ("role", "img") in attrs:
            self.lines.append(f"image: {dict(attrs)['aria-label']}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what is opened and closed at once."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it was open."""
        assert self._open.pop() == tag, f"</{tag}> closes what is open"
        if tag in BLOCKS:
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        """Note the text, but not that of drawings."""
        if not {"svg", "style"} & set(self._open):
            self.lines[-1] += data

    def values(self, name: str) -> list[str]:
        """All values of an attribute."""
        return [value for _, each, value in self.attributes if each == name]

    @property
    def outline(self) -> str:
        """The text, a line for each block: headings, paragraphs, rows, captions, and what images show."""
        lines = (" ".join(line.split()) for line in self.lines)
        return "".join(f"{line}\n" for line in lines if line)

    def row(self, *start: str) -> list[str]:
        """The one row of a table that starts with these cells."""
        rows = [[cell.strip() for cell in line.split("|")[1:]] for line in self.outline.splitlines() if line[:1] == "|"]
        (found,) = (row for row in rows if row[: len(start)] == list(start))
        return found


def assert_self_contained(page: Page) -> None:
    """The page fetches nothing and runs nothing, and each drawing has words for those who cannot see it.

    Its links lead to places in the page.
    """
    assert {"script", "iframe", "object", "embed", "img", "image", "use", "base"}.isdisjoint(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    places = {("a", "href", f"#{place}") for place in page.values("id")}
    addresses = {each for each in page.attributes if each[1] in {"src", "href", "xlink:href", "action"}}
    assert addresses - places <= {("link", "href", "data:,")}
    drawings = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "class")]
    assert page.values("role").count("img") == drawings.count("chart")
    assert all(page.values("aria-label"))
    assert page.tags.count("caption") == page.tags.count("table")


def assert_sections(page: Page) -> list[str]:
    """Each section has a heading of its own and a link at the top, in order, and nothing else is linked there.

    Returns:
        The anchors.
    """
    anchors = [value for tag, name, value in page.attributes if (tag, name) == ("section", "id")]
    titles = [value for tag, name, value in page.attributes if (tag, name) == ("section", "aria-labelledby")]
    assert [value for tag, name, value in page.attributes if (tag, name) == ("h2", "id")] == titles
    assert titles == [f"{anchor}-title" for anchor in anchors]
    assert page.tags.count("h2") == len(anchors)
    first = page.tags.index("nav") + 1
    links = [f"#{anchor}" for anchor in anchors]
    assert page.tags[first : first + len(anchors) + 1] == ["a"] * len(anchors) + ["main"]
    assert [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")][: len(links)] == links
    return anchors


def assert_golden(page: Page, path: Path) -> None:
    """The outline of the page is that of a file; delete the file to write it anew, and look at the difference."""
    if not path.exists():
        path.write_text(page.outline, encoding="utf-8")
    assert page.outline == path.read_text(encoding="utf-8")
