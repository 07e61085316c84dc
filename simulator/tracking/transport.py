"""Transport: takes the true events of each hour and delivers what the collector receives.

In between are ad blockers, refused consent, offline devices, wrong clocks, slow networks, retries and malformed lines;
bots add events that no visitor caused. Everything is labelled: for every true event the labels record what happened to
it, and for every received event whether it is true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl

from analytics.events.event_rows import EventRows
from analytics.events.times import HOUR_MS
from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS
from simulator.engine.clock import Clock
from simulator.engine.streams import Streams
from simulator.settings.world import WorldSettings
from simulator.tracking.bots import Bots
from simulator.tracking.delivery import MALFORMED_SCHEMA, Delivery, n_page_views
from simulator.tracking.faults import CORRUPTIONS, TrackingFaults
from simulator.tracking.labels import NO_LABELS, Label, labelled

# A delivery in transit: its number among the true events (−1 for a bot's), which delivery of the event it is (0 the
# first, 1 a duplicate, 2 a conflict), and its corruption.
_IN_TRANSIT: Final = pl.Schema(
    {
        **EVENT_SCHEMA,
        "_order": pl.Int64(),
        "_copy": pl.Int8(),
        "_damage": pl.Enum(CORRUPTIONS),
        "_place": pl.Float64(),
    }
)
_COPIES: Final = ("first delivery", "duplicate", "conflict")
_ROW_BITS: Final = 36
"""Bits for the row within an hour in the number of a true event; the hour uses the higher bits."""
_ORDER: Final = ("received_at", "_order", "_copy", "message_id")


@dataclass(frozen=True)
class Sent:
    """What is sent in some hours, or in a part of one.

    Attributes:
        in_transit: Deliveries that will arrive before the end, in these hours or later; without faults in order of
            time, otherwise in no order.
        labels: Faults of the events; columns as in ``LABELS_SCHEMA``.
        counts: ``true_events`` and ``true_page_views``.
    """

    in_transit: EventRows
    labels: pl.DataFrame
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, parts: Iterable[Sent]) -> Sent:
        """Concatenate several parts; at least one."""
        way, labels, counts = zip(*((part.in_transit, part.labels, part.counts) for part in parts), strict=True)
        return cls(EventRows.concat(way), pl.concat(labels), sum(counts, Counter()))


class Transport:
    """The path from browsers and servers to the collector.

    Its result for an hour depends on that hour only.

    Args:
        world: Settings of the world.
        streams: Random streams of the replication.
        clock: Simulated time; deliveries due after the end are never received.

    Attributes:
        is_lossless: Whether every event arrives at once and intact.
        nothing_in_transit: No deliveries.
    """

    def __init__(self, world: WorldSettings, streams: Streams, clock: Clock) -> None:
        self.is_lossless = world.tracking.is_lossless
        self._clock = clock
        self._faults = TrackingFaults(world.tracking, streams)
        self.nothing_in_transit = EventRows(_IN_TRANSIT.to_frame())
        self._bots = [Bots(label, world, streams, clock) for label in (Label.CRAWLER, Label.DISGUISED_BOT)]

    def send(self, sent: pl.DataFrame, hours: Mapping[int, int], n_before: int = 0) -> Sent:
        """Send events of some hours, and the events of the bots that arrive in them.

        Args:
            sent: True events from the tracker, in order of time.
            hours: How many of them are of each hour, by its number, from 0.
            n_before: True events of the only hour in earlier parts; its bots went with the first.
        """
        order = [np.arange(n, dtype=np.int64) + ((hour << _ROW_BITS) + n_before) for hour, n in hours.items()]
        parts = [self._send(sent, pl.Series(np.concatenate(order)))]
        if not n_before:
            parts += [self._bot_views(bots, hours) for bots in self._bots if bots.exist]
        return replace(Sent.of(parts), counts=_counts(sent))

    def send_intact(self, sent: EventRows) -> Sent:
        """Send events of which each arrives at once and intact."""
        return Sent(sent, NO_LABELS, _counts(sent.keys))

    def arrival_hour(self) -> pl.Expr:
        """Hour in which a delivery arrives, from 0, as an expression."""
        since = pl.col("received_at") - pl.lit(self._clock.start, UTC_MS)
        return since.dt.total_milliseconds() // HOUR_MS

    def deliver(self, due: Sequence[EventRows], hours: range, labels: pl.DataFrame | None = None) -> Iterator[Delivery]:
        """Deliver what arrives in some hours, in order of arrival, an hour at a time.

        Args:
            due: Deliveries in transit that arrive in the hours, in parts.
            hours: Numbers of the hours.
            labels: Faults of events, for the first of the deliveries.
        """
        arrived = EventRows.concat(due)
        if not self.is_lossless:
            arrived = EventRows(arrived.frame().sort(_ORDER))
        ends = self._clock.timestamps(np.array(hours, dtype=np.int64) * HOUR_MS + HOUR_MS)
        begin = 0
        for end in arrived.keys["received_at"].search_sorted(ends, side="left").to_list():
            delivery = _split_malformed(arrived.cut(begin, end - begin))
            yield delivery if labels is None else replace(delivery, labels=labels)
            begin, labels = end, None

    def _bot_views(self, bots: Bots, hours: Iterable[int]) -> Sent:
        """Page views of the bots that arrive in these hours; they have no faults."""
        views = pl.concat([bots.arriving(hour) for hour in hours])
        labels = labelled(views.with_columns(_true_time="timestamp", _arrival="received_at"), bots.label)
        values = {"_order": -1, "_copy": 0, "_damage": None, "_place": None}
        return Sent(EventRows(views.with_columns(_constants(values))), labels)

    def _send(self, sent: pl.DataFrame, order: pl.Series) -> Sent:
        """Deliveries of true events, numbered by ``order``, that will arrive before the end."""
        with_faults = pl.concat([sent, self._faults.draw(sent)], how="horizontal").with_columns(
            _true_time="timestamp", _order=order
        )
        is_lost = pl.col("_blocked") | pl.col("_refused")
        first = with_faults.filter(~is_lost).with_columns(**_first_times())
        deliveries = pl.concat([_copy(first, 0), *_second_deliveries(first)]).with_columns(
            _arrival=pl.when(pl.col("received_at") < pl.lit(self._clock.end, UTC_MS)).then("received_at")
        )
        labels = pl.concat([*_loss_labels(with_faults.filter(is_lost)), *_delivery_labels(deliveries)])
        arriving = deliveries.filter(pl.col("_arrival").is_not_null())
        return Sent(EventRows(arriving.select(_IN_TRANSIT.names())), labels)


class DeliveryQueue:
    """Keeps deliveries in transit until they are due.

    Args:
        transport: Sends and delivers.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._waiting = transport.nothing_in_transit

    def deliver(self, sent: Iterable[Sent], hours: range) -> Iterator[tuple[Counter[str], Delivery]]:
        """Deliver some hours.

        Args:
            sent: What is sent in the hours, in parts.
            hours: Their numbers, from 0; one hour only where there are several parts.

        Yields:
            Counts of what was sent, once for each part, and what was received in an hour, or in a part of one.
        """
        transport = self._transport
        if transport.is_lossless:
            for each in sent:
                yield from _with_counts(each.counts, transport.deliver([each.in_transit], hours))
            return
        whole = Sent.of(sent)
        in_transit = EventRows.concat([self._waiting, whole.in_transit])
        is_due = in_transit.keys.select(transport.arrival_hour() < hours.stop).to_series().to_numpy()
        # Only what is still in transit is carried into the next hour.
        self._waiting = in_transit.filter(~is_due)
        yield from _with_counts(whole.counts, transport.deliver([in_transit.filter(is_due)], hours, whole.labels))


def _with_counts(counts: Counter[str], deliveries: Iterable[Delivery]) -> Iterator[tuple[Counter[str], Delivery]]:
    """Deliveries, the first with counts and the others with none."""
    for delivery in deliveries:
        yield counts, delivery
        counts = Counter()


def _counts(events: pl.DataFrame) -> Counter[str]:
    return Counter(true_events=events.height, true_page_views=n_page_views(events))


def _constants(values: Mapping[str, int | None]) -> list[pl.Expr]:
    """The same values in all rows."""
    return [pl.lit(value, _IN_TRANSIT[name]).alias(name) for name, value in values.items()]


def _first_times() -> dict[str, pl.Expr]:
    """The four times of a first delivery; the collector corrects ``timestamp`` by the rule of the Segment Spec."""
    late, network, skew = (
        pl.duration(milliseconds=pl.col(name).fill_null(0)) for name in ("_late_ms", "_network_ms", "_skew_ms")
    )
    true_time = pl.col("_true_time")
    times = {
        "original_timestamp": true_time + skew,
        "sent_at": true_time + skew + late,
        "received_at": true_time + late + network,
        # received_at − (sent_at − original_timestamp): right except for the time on the network.
        "timestamp": true_time + network,
    }
    return {name: time.cast(UTC_MS) for name, time in times.items()}


def _copy(first: pl.DataFrame, number: int) -> pl.DataFrame:
    return first.with_columns(pl.lit(number, pl.Int8()).alias("_copy"))


def _second_deliveries(first: pl.DataFrame) -> list[pl.DataFrame]:
    """Second deliveries: sent and received later by the same delay."""
    found = []
    for number, delay in ((1, "_duplicate_ms"), (2, "_conflict_ms")):
        later = (pl.col("sent_at", "received_at") + pl.duration(milliseconds=delay)).cast(UTC_MS)
        found.append(_copy(first.filter(pl.col(delay).is_not_null()), number).with_columns(later))
    # The page title shows a count of unread messages by the time of the retry.
    found[1] = found[1].with_columns(context_page_title=pl.lit("(1) ") + pl.col("context_page_title"))
    return found


def _loss_labels(lost: pl.DataFrame) -> list[pl.DataFrame]:
    """Labels of events that were never sent."""
    lost = lost.with_columns(_arrival=pl.lit(None, UTC_MS))
    return [
        labelled(lost, Label.BLOCKED, pl.col("_blocked"), pl.col("context_device_type")),
        labelled(lost, Label.NO_CONSENT, pl.col("_refused"), pl.col("context_location_country")),
    ]


def _delivery_labels(deliveries: pl.DataFrame) -> list[pl.DataFrame]:
    """Labels of events that were sent."""
    first = deliveries.filter(pl.col("_copy") == 0)
    delays = {
        Label.LATE: (first, "_late_ms"),
        Label.REORDERED: (first, "_network_ms"),
        Label.CLOCK_SKEW: (first, "_skew_ms"),
        Label.DUPLICATE: (deliveries.filter(pl.col("_copy") == 1), "_duplicate_ms"),
        Label.CONFLICT: (deliveries.filter(pl.col("_copy") == 2), "_conflict_ms"),  # noqa: PLR2004 - see _COPIES
    }
    which = pl.col("_copy").replace_strict(dict(enumerate(_COPIES)), return_dtype=pl.String)
    return [
        *(
            labelled(table, label, pl.col(name).is_not_null(), _seconds(pl.col(name)))
            for label, (table, name) in delays.items()
        ),
        labelled(first, Label.MALFORMED, pl.col("_damage").is_not_null(), pl.col("_damage")),
        labelled(deliveries, Label.NOT_RECEIVED, pl.col("_arrival").is_null(), which),
    ]


def _seconds(time_ms: pl.Expr) -> pl.Expr:
    """Milliseconds as text in seconds.

    Integer arithmetic: the last digit of a quotient would depend on the row's position in the table.
    """
    size = time_ms.abs()
    return pl.format(
        "{}{}.{} s",
        pl.when(time_ms < 0).then(pl.lit("-")).otherwise(pl.lit("")),
        size // 1000,
        (size % 1000).cast(pl.String).str.zfill(3),
    )


def _split_malformed(arrived: EventRows) -> Delivery:
    """Separate events from malformed lines."""
    if "_damage" not in arrived.keys.columns:
        return Delivery(arrived)
    table = arrived.frame()
    is_broken = pl.col("_damage").is_not_null()
    events = EventRows(table.filter(~is_broken).select(EVENT_SCHEMA.names()))
    if len(events) == table.height:
        return Delivery(events)
    malformed = table.with_columns(n_before=(~is_broken).cum_sum()).filter(is_broken)
    malformed = malformed.rename({"_damage": "damage", "_place": "place"})
    return Delivery(events, malformed.select(pl.col(name).cast(dtype) for name, dtype in MALFORMED_SCHEMA.items()))
