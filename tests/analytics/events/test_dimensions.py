"""Claims about dimensions: one page is one segment, however its address is written."""

from __future__ import annotations

import polars as pl
import pytest

from analytics.events.dimensions import DIMENSIONS


@pytest.mark.parametrize(
    ("path", "url", "page"),
    [
        ("/pricing", "https://x.org/pricing?a=b", "/pricing"),
        ("/pricing?utm_source=x", None, "/pricing"),
        ("/pricing#top", None, "/pricing"),
        (None, "https://x.org/pricing?utm_source=x#top", "/pricing"),
        ("HTTPS://x.org/Docs/", None, "/Docs/"),
        (None, "https://x.org?utm_source=x", "/"),
        ("?utm_source=x", None, "/"),
        (None, None, None),
    ],
)
def test_a_page_is_its_path_alone(path: str | None, url: str | None, page: str | None) -> None:
    """Query and fragment would make a page of every campaign; an address without a path has it in the URL."""
    place = pl.DataFrame({"context_page_path": [path], "context_page_url": [url]}, schema_overrides=_TEXTS)
    assert place.select(DIMENSIONS["page"].expression).item() == page


_TEXTS = {"context_page_path": pl.String, "context_page_url": pl.String}
