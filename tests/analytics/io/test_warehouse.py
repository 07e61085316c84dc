"""Claims about fields outside the tracking plan in columns, named as in Segment's warehouses."""

import json
from typing import Any

import polars as pl
import pytest
from flat_events import FOREIGN, make_events
from hypothesis import given, settings, strategies as st

from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.flatten import flatten
from analytics.io.ndjson import decode
from analytics.io.warehouse import unfold, warehouse_name, warehouse_tables

PAGE = {"type": "page", "messageId": "m", "anonymousId": "a", "timestamp": "2026-03-03T10:00:00Z"}


def columns_of(**event: Any) -> dict[str, Any]:
    """The columns of one event beyond the tracking plan's."""
    (row,) = unfold(flatten([PAGE | event]).frame).iter_rows(named=True)
    return {name: value for name, value in row.items() if name not in EVENT_SCHEMA}


def test_names_are_snake_case():
    """Camel case, blanks and punctuation become snake case; no name begins with a digit."""
    names = {
        "productId": "product_id", "productID": "product_id", "Product Id": "product_id", "product-id": "product_id",
        "HTTPStatus": "httpstatus", "utm_source": "utm_source", "step2Name": "step2_name", "1st": "_1st",
        "$price": "price", "…": "",
    }  # fmt: skip
    assert {key: warehouse_name(key) for key in names} == names


# The 32 of segmentio/go-snakecase's own test, one of which it has twice.
SEGMENT = {
    "@49L0S145_¬fwHƒ0TSLNVp": "49l0s145_fw_h_0tslnvp", "lk0B@bFmjrLQ_Z6YL": "lk0_b_b_fmjr_lq_z6yl",
    "samPLE text": "sam_ple_text", "sample text": "sample_text", "sample-text": "sample_text",
    "sample_text": "sample_text", "sample___text": "sample_text", "sampleText": "sample_text",
    "inviteYourCustomersAddInvites": "invite_your_customers_add_invites", "sample 2 Text": "sample_2_text",
    "   sample   2    Text   ": "sample_2_text", "   $#$sample   2    Text   ": "sample_2_text",
    "SAMPLE 2 TEXT": "sample_2_text", "___$$Base64Encode": "base64_encode", "FOO:BAR$BAZ": "foo_bar_baz",
    "FOO#BAR#BAZ": "foo_bar_baz", "something.com": "something_com", "$something%": "something",
    "•¶§ƒ˚foo˙∆˚¬": "foo", "CStringRef": "cstring_ref", "5test": "5test", "test5": "test5", "THE5r": "the5r",
    "5TEst": "5test", "_5TEst": "5test", "@%#&5TEst": "5test", "edf_6N": "edf_6n", "f_pX9": "f_p_x9",
    "p_z9Rg": "p_z9_rg", "2FA Enabled": "2fa_enabled", "Enabled 2FA": "enabled_2fa",
}  # fmt: skip

BROTHERS = {
    "B2B Lead": "b2b_lead", "MQLScore": "mqlscore", "b2B": "b2_b", "a_2FA": "a_2fa", "f_5TE": "f_5te", "5fTE": "5f_te",
    "a_b2B": "a_b2_b", "step2Name": "step2_name", "HTMLParser5x": "htmlparser5x", "a.b.C": "a_b_c", "A": "a",
    "userIDNumber": "user_idnumber", "iOS App Opened": "i_os_app_opened", "Größe": "gr_e", "X-Ray": "x_ray",
    "v2": "v2", "__v2__": "v2", "a\nb": "a_b", "$ Price (EUR)": "price_eur",
}  # fmt: skip


@pytest.mark.parametrize(("key", "name"), [*SEGMENT.items(), *BROTHERS.items()])
def test_names_are_segments(key: str, name: str):
    """Capitals and digits in a row are of one word, with the small letters after them; none begins with a digit."""
    assert warehouse_name(key) == (f"_{name}" if name[0].isdigit() else name)


@pytest.mark.parametrize(
    ("event", "columns"),
    [
        (
            {"type": "track", "event": "x", "properties": {"orderId": "o1", "shipTo": {"zipCode": 8}}},
            {"order_id": "o1", "ship_to_zip_code": "8"},
        ),
        ({"type": "identify", "traits": {"firstName": "Ann"}}, {"first_name": "Ann"}),
        (
            {"context": {"library": {"name": "js", "version": "5"}, "traits": {"plan": "pro"}, "screen": {"width": 8}}},
            {"context_library_version": "5", "context_traits_plan": "pro", "context_screen_width": "8"},
        ),
        (
            {"type": "track", "event": "x", "properties": {"products": [{"sku": "1", "price": 2.5}], "tags": []}},
            {"products": '[{"price":2.5,"sku":"1"}]', "tags": "[]"},
        ),
        (
            {"type": "track", "event": "x", "properties": {"email": "a@b.example.com", "channel": "web"}},
            {"properties_email": "a@b.example.com", "properties_channel": "web"},
        ),
    ],
    ids=[
        "properties have no prefix, deeper keys are joined",
        "nor have traits",
        "the context keeps its prefix, and what is in the tracking plan its column",
        "arrays are texts",
        "a field with the name of a column keeps its path",
    ],
)
def test_fields_are_flattened_as_in_a_warehouse(event: dict[str, Any], columns: dict[str, str]):
    """Each field outside the tracking plan is one column, named after its path."""
    assert columns_of(**event) == columns


def test_every_field_of_foreign_events_is_kept():
    """No field of real senders' events is lost: each value is in a column of the plan or in one of its own."""
    frame = decode(FOREIGN).frame
    unfolded = unfold(frame)
    assert unfolded.height == frame.height
    assert unfolded.select(name for name in EVENT_SCHEMA if name != "extra").equals(frame.drop("extra"))
    line = json.loads(FOREIGN.read_bytes().splitlines()[0])
    row = unfolded.filter(pl.col("message_id") == line["messageId"]).row(0, named=True)
    assert row["context_locale"] == line["context"]["locale"]
    assert row["context_library_version"] == line["context"]["library"]["version"]
    assert row["extra_channel"] == "web"


def test_an_extra_that_is_no_object_is_a_text():
    """A table's `extra` may hold anything; it is kept as it is."""
    unfolded = unfold(make_events({"extra": "nonsense"}, {"extra": None}, {"extra": "[1]"}))
    assert unfolded["extra_text"].to_list() == ["nonsense", None, "[1]"]


LEAF = st.text(max_size=5) | st.integers() | st.booleans() | st.lists(st.integers(), max_size=2)
TREE = st.recursive(LEAF, lambda inner: st.dictionaries(st.text("abXY1 _", min_size=1, max_size=4), inner, max_size=3))


@settings(max_examples=60)
@given(context=st.dictionaries(st.text("abXY1 ", min_size=1, max_size=4), TREE, max_size=4))
def test_columns_are_as_many_as_names_and_rows_as_events(context: dict[str, Any]):
    """However fields are nested, each event is one row, and each field with a name of its own one text."""
    batch = flatten([PAGE | {"context": context}, PAGE | {"messageId": "n"}]).frame
    unfolded = unfold(batch)
    assert unfolded.height == 2
    extra = [name for name in unfolded.columns if name not in EVENT_SCHEMA]
    assert set(unfolded.select(extra).dtypes) <= {pl.String}
    assert all(name.startswith(("context_", "extra_")) or name == "context" for name in extra)


def test_no_two_tables_have_one_name():
    """Events whose names differ only in letters that no table's name has share a table, as in Segment's warehouses.

    The names of calls' tables are not taken from them, and no name is too long for a file.
    """
    names = ["Demo Requested", "demo-requested", "Pages", "pages", "users", "Tracks", "…", "?", "x" * 200, "x" * 201]
    track = {"type": "track", "anonymousId": "a", "timestamp": "2026-03-03T10:00:00Z"}
    events = flatten(
        [PAGE, *(track | {"event": name, "messageId": name[:90] + str(len(name))} for name in names)]
    ).frame
    tables = list(warehouse_tables(events))
    heights = {name: table.height for name, table in tables}
    assert len(heights) == len(tables)
    assert heights["pages"] == 1
    assert heights["tracks"] == len(names)
    of_events = {name: table["event_text"].to_list() for name, table in tables if "event_text" in table.columns}
    del of_events["tracks"]
    assert sorted(text for texts in of_events.values() for text in texts) == sorted(names)
    assert sorted(of_events["demo_requested"]) == ["Demo Requested", "demo-requested"]
    assert sorted(of_events["pages_event"]) == ["Pages", "pages"]
    assert {"users_event", "tracks_event", "unnamed"} < of_events.keys()
    assert max(map(len, heights)) < 128
