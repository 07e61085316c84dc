"""Named random streams: one seed, and no source of randomness that affects another.

A stream is keyed by (seed, replication, source name, cohort). Within a cohort, numbers are *addressed*: the draw for
the third page of the second visit of visitor 17 is the same number whatever any other visitor does and whatever else
the scenario holds. This makes common random numbers exact when two scenarios are compared.

Addressed numbers come from SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
2014). Its n-th output is a function of n alone; each stream has its own start and its own increment.
"""

from __future__ import annotations

import hashlib
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

from simulator.engine.arrays import Floats, Words

_TO_UNIT = 2.0**-52
_WORD = 2**64 - 1
# Multipliers of Stafford's variant 13.
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


# Block size that keeps the words and their shifted copies in a core's cache.
_BLOCK = 16_384


def _mix(words: Words, shifted: Words) -> None:
    """Apply SplitMix64's finaliser (Stafford's variant 13) in place; ``shifted`` is scratch space of the same size."""
    words ^= np.right_shift(words, np.uint64(30), out=shifted)
    words *= _MIX_1
    words ^= np.right_shift(words, np.uint64(27), out=shifted)
    words *= _MIX_2
    words ^= np.right_shift(words, np.uint64(31), out=shifted)


# A run asks for the same few source names in every cohort.
@lru_cache(maxsize=4096)
def _key_of(name: str) -> tuple[int, ...]:
    """Four 32-bit integers from the SHA-256 of a source name."""
    digest = hashlib.sha256(name.encode()).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))


@dataclass(frozen=True)
class AddressedUniforms:
    """Uniform numbers that are read by address, in any order and any number of times.

    Attributes:
        start: First state of the stream.
        increment: Distance between the states of neighbouring addresses; odd.

    >>> uniforms = Streams(seed=7).uniforms("decision")
    >>> one, two = uniforms.at(np.array([0, 17])), uniforms.at(np.array([17]))
    >>> bool(one[1] == two[0])
    True
    """

    start: np.uint64
    increment: np.uint64

    def words(self, address: npt.NDArray[np.integer]) -> Words:
        """64 random bits for each address.

        Args:
            address: Non-negative integers; shape (n,).
        """
        counter = address.astype(np.uint64)
        shifted = np.empty(min(len(counter), _BLOCK), dtype=np.uint64)
        for first in range(0, len(counter), _BLOCK):
            block = counter[first : first + _BLOCK]
            block *= self.increment
            block += self.start
            _mix(block, shifted[: len(block)])
        return counter

    def at(self, address: npt.NDArray[np.integer]) -> Floats:
        """Uniform number strictly between 0 and 1 for each address.

        Args:
            address: Non-negative integers; shape (n,).
        """
        bits = self.words(address)
        # 52 bits, plus the half added below, fill the 53 of a float. One bit more would round the largest number up to
        # 1.
        bits >>= np.uint64(12)
        uniforms = bits.astype(np.float64)
        # Half a step up: never 0, so that logarithms and logits are finite.
        uniforms += 0.5
        uniforms *= _TO_UNIT
        return uniforms

    def one(self, address: int) -> float:
        """Uniform number of one address: the same as that of :meth:`at`, without the cost of an array.

        Args:
            address: Non-negative integer.

        >>> uniforms = Streams(seed=7).uniforms("decision")
        >>> uniforms.one(17) == float(uniforms.at(np.array([17]))[0])
        True
        """
        word = (address * int(self.increment) + int(self.start)) & _WORD
        word = ((word ^ word >> 30) * int(_MIX_1)) & _WORD
        word = ((word ^ word >> 27) * int(_MIX_2)) & _WORD
        return (((word ^ word >> 31) >> 12) + 0.5) * _TO_UNIT


class Streams:
    """The random-number streams of one replication.

    Args:
        seed: Any non-negative integer; 0 is a seed like any other.
        replication: Number of the replication, from 0. Replications are independent.

    Attributes:
        scope: Prefix of the source names.

    Raises:
        ValueError: Seed or replication is negative.

    >>> streams = Streams(seed=7)
    >>> bool(streams.generator("arrivals").random() == Streams(seed=7).generator("arrivals").random())
    True
    >>> streams.within("campaign:spring").full_name("arrivals")
    'campaign:spring/arrivals'
    """

    def __init__(self, seed: int, replication: int = 0) -> None:
        if seed < 0 or replication < 0:
            raise ValueError(f"seed and replication must not be negative (got {seed} and {replication})")
        self.seed = seed
        self.replication = replication
        self.scope = ""

    def within(self, scope: str) -> Self:
        """Streams of one part of the world: its sources differ from those of every other part.

        Args:
            scope: Name of the part; empty for the whole world.
        """
        # A copy keeps the class, so that recording streams stay recording.
        narrowed = copy(self)
        narrowed.scope = f"{scope}/" if scope else ""
        return narrowed

    def full_name(self, source: str) -> str:
        """Source name with the scope before it."""
        return self.scope + source

    def _sequence(self, source: str, cohort: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self.seed, spawn_key=(self.replication, *_key_of(self.full_name(source)), cohort))

    def generator(self, source: str, cohort: int = 0) -> np.random.Generator:
        """NumPy generator of a source, for sequential draws.

        Args:
            source: Name of the source.
            cohort: Number of the cohort.
        """
        return np.random.Generator(np.random.PCG64DXSM(self._sequence(source, cohort)))

    def uniforms(self, source: str, cohort: int = 0) -> AddressedUniforms:
        """Addressed uniform numbers of a source.

        Args:
            source: Name of the source.
            cohort: Number of the cohort.
        """
        start, increment = self._sequence(source, cohort).generate_state(2, np.uint64)
        # Only an odd increment makes the states run through all 2^64 values.
        return AddressedUniforms(start, increment | np.uint64(1))


@dataclass(frozen=True)
class VisitorDraws:
    """Draws of some visitors of a cohort, each addressed by the visitor's row in it.

    Args:
        streams: Random streams of the replication, or of a part of the world.
        cohort: Number of the cohort.
        rows: Row of each visitor in the cohort; shape (visitors,).
    """

    streams: Streams
    cohort: int
    rows: npt.NDArray[np.int64]

    def addressed(self, source: str) -> AddressedUniforms:
        """Addressed uniform numbers of a source, for draws below the visitor: visits and page views."""
        return self.streams.uniforms(source, self.cohort)

    def uniforms(self, source: str) -> Floats:
        """Uniform number strictly between 0 and 1 for each visitor; shape (visitors,)."""
        return self.addressed(source).at(self.rows)

    def words(self, source: str, n: int) -> Words:
        """Random 64-bit words for each visitor.

        Args:
            source: Name of the source.
            n: Words for each visitor.

        Returns:
            Random words; shape (visitors, n).
        """
        addressed = self.addressed(source)
        return np.stack([addressed.words(n * self.rows + i) for i in range(n)], axis=1)
