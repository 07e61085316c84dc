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


@pytest.mark.parametrize("other", [{"seed": 2}, {"seed": 0}, {"replication": 1}, {"source": "gaps"}, {"cohort": 1}])
def test_any_other_part_of_the_key_gives_unrelated_numbers(other: dict[str, int | str]):
    """Another seed, replication, source or cohort: no number in common, and a correlation of 0 within 4 SE (1/√n)."""
    one, two = uniforms().at(ADDRESSES), uniforms(**other).at(ADDRESSES)
    assert not np.isin(one, two).any()
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / np.sqrt(N)


@pytest.mark.parametrize("lag", [1, 2, 1 << 8, 1 << 13, 1 << 21])
def test_neighbouring_addresses_are_unrelated(lag: int):
    """Next page, next visit, next visitor: pairs fill a 16 × 16 grid evenly (chi-square), without correlation."""
    here, there = uniforms().at(ADDRESSES), uniforms().at(ADDRESSES + lag)
    assert abs(np.corrcoef(here, there)[0, 1]) < 4 / np.sqrt(N)
    table = np.histogram2d(here, there, bins=16, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(table.ravel()).pvalue > CHANCE


def test_pairs_of_sources_are_unrelated():
    """What is drawn for reading times says nothing of what is drawn for the way through the site."""
    table = np.histogram2d(
        uniforms(source="dwell").at(ADDRESSES), uniforms(source="navigation").at(ADDRESSES), bins=16
    )[0]
    assert stats.chisquare(table.ravel()).pvalue > CHANCE


@pytest.mark.parametrize("spread", [1, 1 << 8, 1 << 21])
def test_the_numbers_are_uniform(spread: int):
    """Whatever the step between addresses, numbers follow the uniform distribution (Kolmogorov–Smirnov)."""
    assert stats.kstest(uniforms(seed=11).at(ADDRESSES * spread), "uniform").pvalue > CHANCE


def test_every_single_bit_is_fair():
    """Each of the 64 bits of a word is 1 half of the time, within 4.5 SE (64 bits, so 1 in 2,000 by chance)."""
    bits = np.unpackbits(uniforms().words(ADDRESSES).view(np.uint8)).reshape(N, 64)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 4.5 * 0.5 / np.sqrt(N)


def test_many_streams_are_uniform_together():
    """The first numbers of 2,000 cohorts, all from other keys, are as uniform as the numbers of one."""
    firsts = np.array([uniforms(cohort=cohort).at(np.array([0]))[0] for cohort in range(2000)])
    assert stats.kstest(firsts, "uniform").pvalue > CHANCE


def test_a_draw_does_not_depend_on_the_others():
    """An address has the same number in any order and context, and any number of times."""
    whole = uniforms().at(ADDRESSES)
    some = np.random.default_rng(5).permutation(N)[:1000]
    np.testing.assert_array_equal(uniforms().at(some), whole[some])
    stream = uniforms()
    stream.at(ADDRESSES)
    assert stream.at(np.array([17]))[0] == whole[17]


def test_asking_leaves_the_addresses_as_they_were():
    """The numbers are computed on a copy: the caller's addresses stay."""
    addresses = np.array([1, 2, 3], dtype=np.uint64)
    uniforms().at(addresses)
    np.testing.assert_array_equal(addresses, [1, 2, 3])


def test_numbers_lie_strictly_between_0_and_1():
    """Logarithms and logits of the numbers are finite."""
    numbers = uniforms().at(np.arange(1_000_000))
    assert numbers.min() > 0
    assert numbers.max() < 1
    assert np.isfinite(np.log(numbers / (1 - numbers))).all()


def test_the_extreme_words_give_numbers_between_0_and_1():
    """Even a word of 64 zeros or 64 ones makes a number strictly between 0 and 1."""

    class Extreme(AddressedUniforms):
        def words(self, address: np.ndarray) -> np.ndarray:
            return np.array([0, 2**64 - 1], dtype=np.uint64)

    low, high = Extreme(np.uint64(0), np.uint64(1)).at(np.array([0, 1]))
    assert 0 < low < high < 1


def test_addresses_do_not_collide():
    """Within a stream no two addresses share a word: counting by an odd step and mixing are both one to one."""
    words = uniforms().words(np.arange(1_000_000))
    assert len(np.unique(words)) == len(words)


def test_streams_do_not_overlap():
    """50 streams of 20,000 words have no word in common: by chance that would happen once in 4 × 10⁷ worlds."""
    words = np.concatenate([uniforms(cohort=cohort).words(np.arange(20_000)) for cohort in range(50)])
    assert len(np.unique(words)) == len(words)


def test_generators_of_two_sources_are_unrelated():
    """The sources that draw in a row are as independent as the addressed ones."""
    one, two = (Streams(1).generator(source).random(N) for source in ("arrivals", "accounts"))
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / np.sqrt(N)


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
