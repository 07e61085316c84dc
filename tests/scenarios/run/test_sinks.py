"""Claims about batches: sinks receive the same in batches as one by one."""

from __future__ import annotations

import pytest
from polars.testing import assert_frame_equal

from scenarios.files.delivered_lines import delivered_lines
from scenarios.files.digest import EventsDigest
from scenarios.run.sinks import Batches
from simulator.model import Model
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink, Delivery


class RecordingSink(CollectingSink):
    """A sink that counts how often it is closed."""

    n_closed = 0

    def close(self) -> None:
        """Count."""
        self.n_closed += 1


@pytest.fixture(scope="module")
def hours() -> list[Delivery]:
    """A day with broken lines, hour by hour."""
    world = WorldSettings.model_validate(
        {"traffic": {"visitors_per_day": 500}, "tracking": {"malformed_rate": 0.1, "late_rate": 0.1}}
    )
    sink = CollectingSink()
    Model(world, seed=2, sinks=[sink]).run()
    return sink.deliveries


def batched(hours: list[Delivery], least: int) -> RecordingSink:
    """What a sink receives in batches of a size."""
    sink = RecordingSink()
    batches = Batches([sink], least)
    for delivery in hours:
        batches.write(delivery)
    batches.close()
    return sink


@pytest.mark.parametrize("least", [1, 300, 10_000])
def test_batches_hold_what_the_deliveries_held(hours: list[Delivery], least: int) -> None:
    """Events, broken lines, the lines of a file of both and the digest are the same, however deliveries are joined."""
    whole, joined = CollectingSink(), batched(hours, least)
    whole.deliveries = hours
    assert_frame_equal(joined.events, whole.events)
    assert_frame_equal(joined.malformed.drop("n_before"), whole.malformed.drop("n_before"))
    lines = [b"".join(map(delivered_lines, sink.deliveries)) for sink in (whole, joined)]
    assert lines[0] == lines[1]
    assert whole.malformed.height > 100
    digests = [EventsDigest(), EventsDigest()]
    for digest, sink in zip(digests, (whole, joined), strict=True):
        for delivery in sink.deliveries:
            digest.write(delivery)
    assert digests[0].hexdigest() == digests[1].hexdigest()


def test_batches_are_as_large_as_asked_for_and_the_last_is_what_is_left(hours: list[Delivery]) -> None:
    """Every batch but the last has the least size or more, and would not have it without its last hour.

    The sinks are closed once, also where nothing came.
    """
    sink, empty = batched(hours, 300), batched([], 300)
    assert (sink.n_closed, empty.n_closed, empty.deliveries) == (1, 1, [])
    taken = sink.deliveries
    sizes = [batch.events.height + batch.malformed.height for batch in taken]
    assert 1 < len(sizes) < len(hours)
    assert all(size >= 300 for size in sizes[:-1])
    assert len(batched(hours, 10**9).deliveries) == 1
