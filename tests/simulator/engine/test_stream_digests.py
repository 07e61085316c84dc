"""Claims about draws: an addition to a world changes no draw of any other source."""

from typing import Any

import numpy as np
import pytest

from simulator.engine.stream_digests import RecordingStreams
from simulator.engine.streams import Streams
from simulator.model import Model
from simulator.settings.site import SiteSettings
from simulator.settings.world import WorldSettings

SMALL: dict[str, Any] = {"traffic": {"visitors_per_day": 6000}, "intent": {"target_conversion": 0.1}}
WINDOW = {"start": "2026-03-03T09:00:00Z", "end": "2026-03-03T12:00:00Z"}
ARMS = {"a": {"share": 0.5}, "b": {"share": 0.5}}


def draws(seed: int = 2, **settings: Any) -> dict[str, str]:
    """Digests of what a small world draws."""
    return Model(WorldSettings.model_validate({**SMALL, **settings}), seed=seed).draws()


@pytest.fixture(scope="module")
def ordinary() -> dict[str, str]:
    """Digests of the small world as it is."""
    return draws()


def lonely_page() -> dict[str, Any]:
    """The site with another page, without links to it."""
    site = SiteSettings().model_dump()
    page = {**site["pages"]["careers"], "path": "/lonely"}
    return {**site, "pages": {**site["pages"], "lonely": page}}


ADDITIONS: dict[str, tuple[dict[str, Any], str]] = {
    "a campaign": (
        {"traffic": {**SMALL["traffic"], "campaigns": {"c": {**WINDOW, "channel": "email", "visitors": 99}}}},
        "campaign:c/",
    ),
    "a launch": (
        {"traffic": {**SMALL["traffic"], "events": {"l": {**WINDOW, "kind": "launch", "factor": 2.0}}}},
        "event:l/",
    ),
    "an experiment": ({"experiments": {"e": {"arms": ARMS}}}, "experiment:e"),
    "a page": ({"site": lonely_page()}, "(nothing)"),
    "a smaller sales team": ({"sales": {"teams": {"default": {"account_executives": {"headcount": 1}}}}}, "(nothing)"),
}


@pytest.mark.parametrize("name", ADDITIONS)
def test_an_addition_moves_no_draw_of_any_other_source(name: str, ordinary: dict[str, str]):
    """Every source draws the same numbers at the same addresses; new sources bear the name of what was added."""
    settings, prefix = ADDITIONS[name]
    found = draws(**settings)
    assert {source: found.get(source) for source in ordinary} == ordinary
    # Invited colleagues have their own scope, with the same sources.
    assert all(source.removeprefix("invited/").startswith(prefix) for source in found.keys() - ordinary.keys())
    assert (prefix == "(nothing)") == (found.keys() == ordinary.keys())


def test_an_effect_on_navigation_moves_only_how_much_is_drawn(ordinary: dict[str, str]):
    """Longer visits need more draws; sources that depend on neither pages nor an inviter stay the same."""
    arms = {**ARMS, "b": {"share": 0.5, "exit_rate": {"home": 0.5}}}
    found = draws(experiments={"e": {"arms": arms}})
    moved = {source for source in ordinary if found[source] != ordinary[source]}
    assert {source for source in moved if not source.startswith("invited/")} == {"navigation", "dwell", "forms"}


def test_the_digests_repeat_and_differ_by_seed(ordinary: dict[str, str]):
    """The same seed gives the same digests, another seed others for every source; each source has its own name."""
    assert draws() == ordinary
    assert {"arrivals", "place", "device", "channel", "visits", "navigation", "decision", "accounts"} <= ordinary.keys()
    assert len(set(ordinary.values())) == len(ordinary)
    other = draws(seed=3)
    assert other.keys() == ordinary.keys()
    assert not set(other.values()) & set(ordinary.values())


def test_recording_changes_no_number():
    """What is recorded is what would have been drawn, also within a part of the world."""
    for scope in ("", "part"):
        plain, recorded = Streams(1).within(scope), RecordingStreams(1).within(scope)
        rows = np.arange(9)
        np.testing.assert_array_equal(plain.uniforms("a", 2).at(rows), recorded.uniforms("a", 2).at(rows))
        assert plain.generator("b").random() == recorded.generator("b").random()


def test_a_digest_depends_on_every_draw_and_address():
    """One draw more, another address and another cohort each change the digest of their source and of no other."""

    def digests(cohort: int, *addresses: int, n: int = 1) -> dict[str, str]:
        streams = RecordingStreams(1)
        streams.uniforms("a", cohort).at(np.array(addresses))
        streams.generator("b").random(n)
        return streams.digests()

    cases = [digests(0, 1), digests(0, 2), digests(1, 1), digests(0, 1, 2)]
    assert len({case["a"] for case in cases}) == 4
    assert len({case["b"] for case in cases}) == 1
    assert digests(0, 1, n=2)["b"] != cases[0]["b"]


def test_a_part_of_the_world_has_streams_of_its_own():
    """Scopes give other numbers under the same name, and the empty scope those of the whole."""
    rows, streams = np.arange(4), Streams(1)
    whole, part, again = (streams.within(scope).uniforms("a").at(rows) for scope in ("", "x", "x"))
    np.testing.assert_array_equal(whole, streams.uniforms("a").at(rows))
    np.testing.assert_array_equal(part, again)
    assert not np.isin(part, whole).any()
