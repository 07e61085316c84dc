"""Claims about the tables of what happened."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from simulator.agents.component import Component
from simulator.components.discount_banner import DiscountBanner
from simulator.components.nurture_email import NurtureEmail
from simulator.model import Model
from simulator.replication import people_truth
from simulator.replication.pending_hours import PendingHours, read_hour
from simulator.replication.planned_people import PlannedPeople
from simulator.replication.workers import RunSpec
from simulator.settings.world import WorldSettings

CROWD = WorldSettings.model_validate(
    {
        "traffic": {"visitors_per_day": 200_000},
        "clock": {"hours": 8},
        "intent": {"target_conversion": 0.2},
        "population": {"invitation_hours": 0.5},
    }
)


def test_people_in_parts_are_the_people(monkeypatch: pytest.MonkeyPatch):
    """However small the parts, put together they are in the order of the whole table."""
    tables = Model(CROWD, seed=1, active_agents="interacting").run().outcome.tables
    whole = tables.people
    monkeypatch.setattr(people_truth, "_MIN_PART_ROWS", 5000)
    parts = list(tables.people_in_parts())
    assert len(parts) > 2
    assert_frame_equal(pl.concat(parts), whole)
    assert_frame_equal(whole, whole.sort("first_seen_at", "anonymous_id"))
    assert max(part.height for part in parts) < whole.height


MEETINGS = (NurtureEmail("mail", delay_hours=0.5), DiscountBanner("banner", shown_below=100_000, minutes=20.0))


@pytest.mark.parametrize("components", [(), MEETINGS])
def test_people_kept_as_planned_are_the_people_who_came(tmp_path: Path, components: Sequence[Component]):
    """Without browsers of visits that a request cancelled, and with all that visitors on the clock have used.

    Once the files are read, the cohorts are drawn again for the same people.
    """
    settings = {
        "traffic": {"visitors_per_day": 3000},
        "clock": {"hours": 30},
        "intent": {"target_conversion": 0.2},
        "population": {"second_device_rate": 0.5, "invitation_hours": 0.5},
    }
    world = WorldSettings.model_validate(settings)
    everybody = Model(world, seed=1, active_agents="all", components=components).run().outcome.people
    kept = Model(
        world, seed=1, active_agents="interacting", components=components, people=PlannedPeople(tmp_path)
    ).run()
    planned = pl.concat(map(pl.read_ipc, tmp_path.iterdir()))
    for _ in range(2):
        assert_frame_equal(pl.concat(kept.outcome.tables.people_in_parts()), everybody)
        assert not list(tmp_path.iterdir())
    # Otherwise there was nothing to mend.
    assert not planned["anonymous_id"].is_in(everybody["anonymous_id"].implode()).all()


def test_planned_activity_is_the_same_from_a_file(tmp_path: Path):
    """Hours written to a file and read again are those that were kept in memory, over several files."""
    generator = RunSpec(CROWD, 1, 0, -4.0).generator()
    kept, files = PendingHours(), []
    for number, scheduled in enumerate(generator.schedule[:3]):
        drawn, moved = generator.draw(scheduled), PendingHours()
        kept.add(drawn.hours)
        moved.add(drawn.hours)
        files.append(moved.write(tmp_path / str(number)))
    for hour in range(8):
        expected = kept.take(hour)
        found = read_hour([file.only(hour) for file in files if hour in file.places], hour)
        assert (found.visits == expected.visits).all()
        assert (found.records == expected.records).all()
    assert not kept.take(0)


def test_chunks_follow_one_another():
    """Every record is in one chunk, later chunks have later times, and no visit is empty."""
    generator = RunSpec(CROWD, 1, 0, -4.0).generator()
    _, hour = max(generator.draw(generator.schedule[0]).hours, key=lambda part: len(part[1].records))
    chunks = list(hour.chunks(500))
    assert len(chunks) > 3
    assert sum(len(each.records) for each in chunks) == len(hour.records)
    assert all(each.visits["n"].min() > 0 and each.visits["n"].sum() == len(each.records) for each in chunks)
    for before, after in pairwise(chunks):
        assert before.records["time_ms"].max() < after.records["time_ms"].min()
    assert list(hour.chunks(10**9)) == [hour]
