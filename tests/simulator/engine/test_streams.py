"""Claims about the random streams."""

import numpy as np
import pytest
from scipy import stats

from simulator.engine.streams import AddressedUniforms, Streams

N = 200_000
ADDRESSES = np.arange(N)
# A test that looks at true randomness fails by chance in one of a thousand choices of the (fixed) seed.
CHANCE = 1e-3


def uniforms(seed: int = 1, replication: int = 0, source: str = "dwell", cohort: int = 0) -> AddressedUniforms:
    """Addressed uniforms of one key."""
    return Streams(seed, replication).uniforms(source, cohort)


def test_the_same_key_gives_the_same_numbers():
    """A stream is a function of its key: two objects made alike give the same numbers, addressed or in a row."""
    np.testing.assert_array_equal(uniforms().at(ADDRESSES), uniforms().at(ADDRESSES))
    first, second = (Streams(3, 2).generator("arrivals", 4).random(100) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def assert_unrelated(one: np.ndarray, two: np.ndarray) -> None:
    """Pairs fill a 16 × 16 grid evenly (chi-square), and their correlation is 0 within 4 SE (1/√n)."""
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / np.sqrt(N)
    table = np.histogram2d(one, two, bins=16, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(table.ravel()).pvalue > CHANCE


@pytest.mark.parametrize("other", [{"seed": 2}, {"seed": 0}, {"replication": 1}, {"source": "gaps"}, {"cohort": 1}])
def test_any_other_part_of_the_key_gives_unrelated_numbers(other: dict[str, int | str]):
    """Another seed, replication, source or cohort: no number in common and no relation, addressed or in a row."""
    key = {"seed": 1, "replication": 0, "source": "dwell", "cohort": 0}
    one, two = uniforms().at(ADDRESSES), uniforms(**other).at(ADDRESSES)
    assert not np.isin(one, two).any()
    assert_unrelated(one, two)
    in_a_row = []
    for each in (key, key | other):
        streams = Streams(each["seed"], each["replication"])
        in_a_row.append(streams.generator(each["source"], each["cohort"]).random(N))
    assert_unrelated(*in_a_row)


@pytest.mark.parametrize("lag", [1, 2, 1 << 8, 1 << 13, 1 << 21])
def test_neighbouring_addresses_are_unrelated(lag: int):
    """Next page, next visit and next visitor have numbers of their own."""
    assert_unrelated(uniforms().at(ADDRESSES), uniforms().at(ADDRESSES + lag))


@pytest.mark.parametrize("spread", [1, 1 << 8, 1 << 21])
def test_the_numbers_are_uniform(spread: int):
    """Whatever the step between addresses, numbers follow the uniform distribution (Kolmogorov–Smirnov).

    So do the first numbers of 2,000 cohorts, all from other keys.
    """
    assert stats.kstest(uniforms(seed=11).at(ADDRESSES * spread), "uniform").pvalue > CHANCE
    firsts = [uniforms(cohort=cohort).at(np.array([spread]))[0] for cohort in range(2000)]
    assert stats.kstest(firsts, "uniform").pvalue > CHANCE


def test_every_single_bit_is_fair():
    """Each of the 64 bits of a word is 1 half of the time, within 4.5 SE (64 bits, so 1 in 2,000 by chance)."""
    bits = np.unpackbits(uniforms().words(ADDRESSES).view(np.uint8)).reshape(N, 64)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 4.5 * 0.5 / np.sqrt(N)


def test_a_draw_does_not_depend_on_the_others():
    """An address has the same number in any order and context, and any number of times; the caller's array stays."""
    whole = uniforms().at(ADDRESSES)
    some = np.random.default_rng(5).permutation(N)[:1000].astype(np.uint64)
    asked, stream = some.copy(), uniforms()
    np.testing.assert_array_equal(stream.at(asked), whole[some])
    np.testing.assert_array_equal(asked, some)
    assert stream.at(np.array([17]))[0] == whole[17]


def test_the_extreme_words_give_numbers_between_0_and_1():
    """Even a word of 64 zeros or 64 ones makes a number strictly between 0 and 1."""

    class Extreme(AddressedUniforms):
        def words(self, address: np.ndarray) -> np.ndarray:
            return np.array([0, 2**64 - 1], dtype=np.uint64)

    low, high = Extreme(np.uint64(0), np.uint64(1)).at(np.array([0, 1]))
    assert 0 < low < high < 1


def test_addresses_do_not_collide_and_streams_do_not_overlap():
    """200,000 words of one stream and 20,000 of each of 25 others are all different.

    Within a stream counting by an odd step and mixing are both one to one; between streams chance would make two words
    equal once in 7 × 10⁷ worlds.
    """
    others = [uniforms(cohort=cohort).words(np.arange(20_000)) for cohort in range(1, 26)]
    words = np.concatenate([uniforms().words(ADDRESSES), *others])
    assert len(np.unique(words)) == len(words)


def test_any_seed_is_a_seed_and_no_replication():
    """Seed 0 is reproducible, seeds have no upper bound, and seed and replication do not swap."""
    keys = [(0, 0), (1, 0), (2**100, 0), (2**101, 0), (1, 2), (2, 1)]
    first = [uniforms(seed, replication).at(ADDRESSES[:1])[0] for seed, replication in keys]
    assert len(set(first)) == len(keys)
    assert uniforms(seed=0).at(ADDRESSES[:1])[0] == first[0]


@pytest.mark.parametrize(("seed", "replication"), [(-1, 0), (0, -1)])
def test_negative_seeds_and_replications_are_refused(seed: int, replication: int):
    """A negative number is refused, and the message says what was given."""
    with pytest.raises(ValueError, match=f"must not be negative \\(got {seed} and {replication}\\)"):
        Streams(seed, replication)
