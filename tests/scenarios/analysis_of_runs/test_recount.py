"""The store's counts against an independent recount: SQL over the same file, in DuckDB."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import duckdb
import polars as pl
import pytest

from analytics.store.event_store import EventStore
from scenarios.files.event_files import NdjsonFile
from scenarios.scenario import Scenario
from simulator.model import Model

DIRT = [
    "clock.hours=20",
    "traffic.visitors_per_day=2500",
    "tracking.late_rate=0.05",
    "tracking.late_minutes=300",
    "tracking.reorder_rate=0.05",
    "tracking.duplicate_rate=0.03",
    "tracking.id_collision_rate=0.02",
    "tracking.clock_skew_rate=0.1",
    "tracking.malformed_rate=0.01",
    "tracking.bots_per_day=20",
]

JUDGED = r"""
CREATE TABLE lines AS
SELECT n, TRY(decode(part::BLOB)) AS line -- NULL where it is not UTF-8
FROM (
    SELECT unnest(range(len(parts))) AS n, unnest(parts) AS part
    FROM (SELECT string_split(content::VARCHAR, '\x0A') AS parts FROM read_blob($file))
)
WHERE part <> '';

CREATE TABLE read AS
SELECT n, line, line ->> 'type' AS call, line ->> 'event' AS name, line ->> 'messageId' AS id,
    coalesce(line ->> '$.context.location.country', '(not set)') AS country,
    json_merge_patch(line, '{"sentAt": null, "receivedAt": null, "timestamp": null}')::VARCHAR AS body,
    (line ->> 'receivedAt')::TIMESTAMPTZ AS received, (line ->> 'sentAt')::TIMESTAMPTZ AS sent,
    (line ->> 'originalTimestamp')::TIMESTAMPTZ AS original, (line ->> 'timestamp')::TIMESTAMPTZ AS stamp
FROM (SELECT n, CASE WHEN json_valid(line) THEN line::JSON END AS line FROM lines)
WHERE json_type(line) = 'OBJECT' AND coalesce(line ->> 'anonymousId', line ->> 'userId') IS NOT NULL;

CREATE TABLE timed AS
SELECT *, CASE WHEN claimed > received + INTERVAL 60 SECOND THEN received ELSE claimed END AS happened,
    claimed > received + INTERVAL 60 SECOND AS is_future
FROM (SELECT *, coalesce(received - (sent - original), stamp, received) AS claimed FROM read);

CREATE TABLE placed AS
SELECT *, date_trunc('hour', happened) AS hour, date_trunc('hour', stream) - to_hours($window - 1) AS oldest
FROM (SELECT *, max(happened) OVER (ORDER BY n) AS stream FROM timed);

CREATE TABLE judged AS
SELECT *, CASE WHEN hour < oldest THEN 'late' WHEN n = first_n THEN 'accepted' WHEN body = first_body THEN 'duplicate'
    ELSE 'conflict' END AS verdict
FROM (
    SELECT *, first_value(n) OVER same AS first_n, first_value(body) OVER same AS first_body,
        first_value(hour) OVER same AS first_hour
    FROM placed WINDOW same AS (PARTITION BY id, hour < oldest ORDER BY n)
);
"""

HOURLY = """
SELECT hour, count(*) AS n_events, count(*) FILTER (call = 'page') AS n_page_views,
    count(*) FILTER (call = 'track' AND name = 'Demo Requested') AS n_demo_requests
FROM judged WHERE verdict = 'accepted' AND hour >= (SELECT max(oldest) FROM judged) GROUP BY hour ORDER BY hour
"""

VIEWS = """
SELECT hour, country, count(*) AS page_views FROM judged
WHERE verdict = 'accepted' AND call = 'page' AND hour >= (SELECT max(oldest) FROM judged) GROUP BY ALL ORDER BY ALL
"""


def check(path: Path, window_hours: int) -> None:
    """Every count of the store is that of the query."""
    store = EventStore(window_hours)
    store.append_json(path)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for statement in JUDGED.split(";\n\n"):
        given = {"file": str(path), "window": window_hours}
        connection.execute(statement, {key: value for key, value in given.items() if f"${key}" in statement})

    def one(query: str) -> tuple[object, ...]:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row

    # The query knows no forgetting: that is right as long as no identifier comes back after a window.
    assert one("SELECT count(*) FROM judged WHERE hour >= oldest AND first_hour < oldest") == (0,)
    counts = dict(connection.execute("SELECT verdict, count(*) FROM judged GROUP BY verdict").fetchall())
    received, readable = one("SELECT (SELECT count(*) FROM lines), (SELECT count(*) FROM judged)")
    assert asdict(store.counts) == {**counts, "received": received, "invalid": int(received) - int(readable)}  # type: ignore[call-overload]
    assert min(asdict(store.counts).values()) > 0
    assert one("SELECT count(*) FROM timed WHERE is_future") == (store.n_future,)
    assert one("SELECT max(happened) FROM judged") == (store.stream_time,)
    waits = "SELECT epoch_ms(stream) - epoch_ms(happened) AS ms FROM judged WHERE verdict = 'late'"
    lateness = one(f"SELECT max(ms) / 1000, avg(ms) / 1000 FROM ({waits})")  # noqa: S608 - our own words
    assert lateness == pytest.approx((store.lateness.max_s, store.lateness.mean_s), rel=1e-12)
    calls = connection.execute("SELECT call, count(*) FROM judged WHERE verdict = 'accepted' GROUP BY call").fetchall()
    assert dict(calls) == {call: n for call, n in store.counts_by_type.items() if n}

    hours = store.hourly().filter(pl.col("n_events") > 0)
    assert hours.drop("revision", "final", "partial").rows() == connection.execute(HOURLY).fetchall()
    views = store.views("country", include_bots=True).drop("revision", "final")
    assert views.rows() == connection.execute(VIEWS).fetchall()


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "window_hours"), [(7, 24), (8, 6), (9, 1)])
def test_a_recount_in_sql_agrees(seed: int, window_hours: int, tmp_path: Path):
    """Over a file with every kind of dirt, all counts, hours and segments are those of a query that knows no store."""
    path = tmp_path / "events.ndjson"
    sink = NdjsonFile(path)
    Model(Scenario.load("baseline", DIRT).world, seed=seed, sinks=[sink]).run()
    sink.close()
    if window_hours == 24:
        # Nothing is late in so short a file: one event comes a day and more after all others.
        first = next(line for line in path.read_bytes().splitlines() if b'"type":"page"' in line)
        last = first.replace(b"2026-", b"2027-").replace(b'"messageId":"', b'"messageId":"last')
        path.write_bytes(path.read_bytes() + last + b"\n" + first + b"\n")
    check(path, window_hours)
