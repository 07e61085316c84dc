"""Claims about reading YAML with places."""

from __future__ import annotations

import pytest

from scenarios.config.yaml_source import dotted, read_scalar, read_yaml
from scenarios.errors import ScenarioError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("12:30", "12:30"),
        ("2026-03-03T00:00:00Z", "2026-03-03T00:00:00Z"),
        ("010", 10),
        ("1e3", 1000.0),
        ("true", True),
        ("~", None),
        ("", None),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    """Norway is not false, half past twelve is not 750, and a date stays as it was written."""
    assert read_scalar(text, "--set x") == value


def test_every_key_and_item_has_a_place() -> None:
    """Keys and list items are found by line and column, what is not stated by what stands around it."""
    source = read_yaml("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n", "f.yaml")
    assert source.data == {"a": {"b": 1, "c": ["x", {"y": 2}]}}
    assert source.where(("a", "b")) == "f.yaml:2:3"
    assert source.where(("a", "c", 1)) == "f.yaml:5:7"
    assert source.where(("a", "c", 1, "z")) == "f.yaml:5:7"
    assert source.where(("nowhere",)) == "f.yaml:1:1"
    assert dotted(("site", "pages", 2, "name")) == "site.pages[2].name"


def test_all_equal_keys_are_refused() -> None:
    """A repeated key is a fault at its second place, and all such keys are reported."""
    with pytest.raises(ScenarioError) as caught:
        read_yaml("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", "f.yaml")
    assert (
        str(caught.value)
        == "f.yaml:4:3: b.c: given twice (first in line 3)\nf.yaml:5:1: a: given twice (first in line 1)"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2", "f.yaml:2:2: not valid YAML: "),
        ("a:\n\tb: 1", "f.yaml:2:1: a tab cannot indent YAML; use spaces"),
        ("a: 1\n---\na: 2", "f.yaml:2:1: a second document begins here"),
        ("a: *x", "f.yaml:1:4: not valid YAML: found undefined alias"),
        ("a: &x [*x]", "f.yaml:1:4: a[0]: an alias that holds itself"),
        ("a: !thing 1", "f.yaml:1:4: a: the tag !thing is not understood"),
        ("? [a]\n: 1", "f.yaml:1:3: a key must be a single word"),
        ("a: \x00", "f.yaml:1:1: not readable as YAML"),
        ("[" * 700, "f.yaml:1:1: nested too deeply"),
    ],
)
def test_what_is_not_yaml_is_reported_in_one_line_with_its_place(text: str, message: str) -> None:
    """A syntax error is one line that begins with file, line and column."""
    with pytest.raises(ScenarioError) as caught:
        read_yaml(text, "f.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_aliases_cannot_be_made_to_explode() -> None:
    """Nine levels of aliases, nine to a level, are refused instead of filling the memory."""
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    with pytest.raises(ScenarioError, match="more than 100,000 values"):
        read_yaml("\n".join(lines), "f.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("personas: !override {a: 1}", "f.yaml:1:11: personas: the tag !override is not understood"),
        ("personas:\n  - !override [1]", "f.yaml:2:5: personas[0]: the tag !override is not understood"),
        ("a: !!set {x, y}", "f.yaml:1:4: a: the tag tag:yaml.org,2002:set is not understood"),
        ("!override {a: 1}", "f.yaml:1:1: the tag !override is not understood"),
        ("a: {!key b: 1}", "f.yaml:1:5: a.b: the tag !key is not understood"),
    ],
)
def test_a_tag_is_refused_wherever_it_stands(text: str, message: str) -> None:
    """A tag on a mapping, a list or a key is no more dropped than one on a scalar."""
    with pytest.raises(ScenarioError) as caught:
        read_yaml(text, "f.yaml")
    assert str(caught.value) == message


def test_plain_tags_of_mappings_and_lists_are_understood() -> None:
    """``!!map`` and ``!!seq`` say what the value is anyway."""
    assert read_yaml("a: !!map {b: !!seq [1]}", "f.yaml").data == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    ("text", "merged"),
    [
        ("{a: &arm {share: 0.5}, b: {<<: *arm, log_odds: 0.4}}", {"share": 0.5, "log_odds": 0.4}),
        ("{a: &arm {share: 0.5, x: 1}, b: {share: 0.4, <<: *arm}}", {"share": 0.4, "x": 1}),
        ("{a: [&one {x: 1}, &two {x: 2, y: 2}], b: {<<: [*one, *two]}}", {"x": 1, "y": 2}),
        ("{a: [&one {x: 1}, &two {<<: *one, y: 2}], b: {<<: *two}}", {"x": 1, "y": 2}),
        ('{b: {"<<": 1}}', {"<<": 1}),
    ],
)
def test_merge_keys_are_merged(text: str, merged: object) -> None:
    """What a mapping states itself wins wherever it stands, then the first base; a quoted ``<<`` is a plain key."""
    assert read_yaml(text, "f.yaml").data["b"] == merged


def test_merged_keys_are_found_where_they_were_written() -> None:
    """A fault in a merged value is a fault of the line that states it."""
    source = read_yaml("a: &arm\n  share: 0.5\nb:\n  <<: *arm\n", "f.yaml")
    assert source.where(("b", "share")) == "f.yaml:2:3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {<<: 1}", "f.yaml:1:9: a.<<: merges mappings only, as in <<: *base"),
        ("a: {<<: [{b: 1}, 2]}", "f.yaml:1:18: a.<<: merges mappings only, as in <<: *base"),
        ("a: &x {<<: *x}", "f.yaml:1:4: a.<<: an alias that holds itself"),
        ("a: {<<: &x {<<: *x}}", "f.yaml:1:9: a.<<: an alias that holds itself"),
    ],
)
def test_what_cannot_be_merged_is_refused(text: str, message: str) -> None:
    """Only mappings can be merged, and none into itself."""
    with pytest.raises(ScenarioError) as caught:
        read_yaml(text, "f.yaml")
    assert str(caught.value) == message


def test_merge_keys_cannot_be_made_to_explode() -> None:
    """Nine levels of merged mappings, nine to a level, are refused instead of taking for ever."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 10)]
    with pytest.raises(ScenarioError, match="more than 100,000 values"):
        read_yaml("\n".join(lines), "f.yaml")
