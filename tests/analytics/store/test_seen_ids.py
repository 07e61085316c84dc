"""Claims about the identifiers that a store remembers."""

import numpy as np
from hypothesis import given, strategies as st

from analytics.store.seen_ids import SeenIds

# Few identifiers, to make them meet, of which several share the bits that the Bloom filter uses.
IDS = [np.uint64(number + (number % 3 << 61)) for number in range(12)]
DELIVERIES = st.tuples(st.sampled_from(IDS), st.integers(0, 9), st.sampled_from([False, False, True]))
BATCHES = st.lists(st.lists(DELIVERIES, max_size=8), max_size=8)


@given(BATCHES)
def test_finds_what_a_plain_dictionary_finds(batches: list[list[tuple[np.uint64, int, bool]]]):
    """Whether an identifier is remembered, and in which hour, is the same as in a dictionary filled one by one."""
    memory, plain = SeenIds(), dict[np.uint64, int]()
    newest, window = 0, 4
    for batch in batches:
        ids = np.array([each for each, _, _ in batch], np.uint64)
        hours = np.array([hour for _, hour, _ in batch], np.int64)
        stale = np.array([each for _, _, each in batch], np.bool_)
        floors = np.maximum.accumulate(np.maximum(hours, newest)) - window if len(batch) else hours
        timely = hours >= floors
        fresh = ~stale[timely]
        earlier = memory.find(ids[timely], hours[timely], floors[timely], stale[timely])
        expected = []
        for identifier, hour, floor, is_fresh in zip(ids[timely], hours[timely], floors[timely], fresh, strict=True):
            plain = {each: when for each, when in plain.items() if when >= floor}
            expected.append(plain.get(identifier))
            if is_fresh:
                plain.setdefault(identifier, int(hour))
        in_batch = earlier.row >= 0
        found = np.where(in_batch, hours[timely][earlier.row], earlier.hour)
        assert [None if new else hour for new, hour in zip(earlier.is_new, found, strict=True)] == expected
        newest = max(newest, int(hours.max(initial=0)))
        kept = earlier.is_new & fresh
        memory.remember(ids[timely][kept], hours[timely][kept], newest - window)
        plain = {each: when for each, when in plain.items() if when >= newest - window}
        assert len(memory) == len(plain)


def test_holds_many_and_lets_new_ones_through():
    """All of a million identifiers are found again, and none of another million."""
    rng = np.random.default_rng(7)
    ids = rng.integers(0, 2**64, 2_000_000, np.uint64)
    hours = np.zeros(50_000, np.int64)
    memory = SeenIds()
    for part in np.split(ids[:1_000_000], 20):
        memory.remember(part, hours, 0)
    for part in np.split(ids, 40)[::5]:
        is_new = memory.find(part, hours, hours, hours > 0).is_new
        assert is_new.all() or not is_new.any()
        assert is_new.all() == (part[0] not in ids[:1_000_000])
