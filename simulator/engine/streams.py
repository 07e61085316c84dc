"""Named streams of randomness: one seed, and no source that can move another.

A stream is keyed by (seed, replication, source name, cohort). Within a cohort, numbers are *addressed*: the draw for
the third page of the second visit of visitor 17 is the same number whatever anybody else did, and whatever else the
scenario holds. That is what makes common random numbers exact when two scenarios are compared.

Addressed numbers come from SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014), whose n-th output is a function of n alone; each stream has its own start and its own increment.
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

__all__ = ["AddressedUniforms", "Streams", "VisitorDraws"]

_TO_UNIT = 2.0**-52
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


# So many words are mixed at a time that they, and their shifted copies, stay in the core's cache.
_BLOCK = 16_384


def _mix(words: Words, shifted: Words) -> None:
    """SplitMix64's finaliser (Stafford's variant 13), in place, with room for as many words again."""
    words ^= np.right_shift(words, np.uint64(30), out=shifted)
    words *= _MIX_1
    words ^= np.right_shift(words, np.uint64(27), out=shifted)
    words *= _MIX_2
    words ^= np.right_shift(words, np.uint64(31), out=shifted)


@lru_cache(maxsize=4096)
def _key_of(name: str) -> tuple[int, ...]:
    """The name of a source as four whole numbers of 32 bits."""
    digest = hashlib.sha256(name.encode()).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))


@dataclass(frozen=True)
class AddressedUniforms:
    """Uniform numbers that can be asked for by address, in any order and as often as one likes."""

    start: np.uint64
    increment: np.uint64

    def words(self, address: npt.NDArray[np.integer]) -> Words:
        """64 random bits for each address (a non-negative integer)."""
        counter = address.astype(np.uint64)
        shifted = np.empty(min(len(counter), _BLOCK), dtype=np.uint64)
        for first in range(0, len(counter), _BLOCK):
            block = counter[first : first + _BLOCK]
            block *= self.increment
            block += self.start
            _mix(block, shifted[: len(block)])
        return counter

    def at(self, address: npt.NDArray[np.integer]) -> Floats:
        """Number strictly between 0 and 1 for each address (a non-negative integer)."""
        bits = self.words(address)
        # 52 bits and a half fill the 53 of a float; with one more, the largest number would be rounded up to 1.
        bits >>= np.uint64(12)
        uniforms = bits.astype(np.float64)
        # Half a step up: never 0, so that logarithms and logits are finite.
        uniforms += 0.5
        uniforms *= _TO_UNIT
        return uniforms


class Streams:
    """All the randomness of one replication.

    Args:
        seed: Any non-negative integer; 0 is a seed like another.
        replication: Number of the replication, from 0. Replications are independent.

    Attributes:
        scope: What is set before the names of the sources.
    """

    def __init__(self, seed: int, replication: int = 0) -> None:
        if seed < 0 or replication < 0:
            raise ValueError(f"seed and replication must not be negative (got {seed} and {replication})")
        self.seed = seed
        self.replication = replication
        self.scope = ""

    def within(self, scope: str) -> Self:
        """The same randomness for a part of the world: its sources are others than those of every other part.

        Args:
            scope: Name of the part; empty for the whole.
        """
        narrowed = copy(self)
        narrowed.scope = f"{scope}/" if scope else ""
        return narrowed

    def full_name(self, source: str) -> str:
        """Name of a source with the part of the world that it belongs to."""
        return self.scope + source

    def _sequence(self, source: str, cohort: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self.seed, spawn_key=(self.replication, *_key_of(self.full_name(source)), cohort))

    def generator(self, source: str, cohort: int = 0) -> np.random.Generator:
        """NumPy generator of a source, for numbers drawn one after the other."""
        return np.random.Generator(np.random.PCG64DXSM(self._sequence(source, cohort)))

    def uniforms(self, source: str, cohort: int = 0) -> AddressedUniforms:
        """Addressed uniform numbers of a source."""
        start, increment = self._sequence(source, cohort).generate_state(2, np.uint64)
        return AddressedUniforms(start, increment | np.uint64(1))


@dataclass(frozen=True)
class VisitorDraws:
    """The draws of some visitors of a cohort, each addressed by the visitor's place in it.

    Args:
        streams: Randomness of the replication, or of a part of the world.
        cohort: Number of the cohort.
        rows: Place of each visitor in the cohort; shape (visitors,).
    """

    streams: Streams
    cohort: int
    rows: npt.NDArray[np.int64]

    def uniforms(self, source: str) -> Floats:
        """A number strictly between 0 and 1 for each visitor; shape (visitors,)."""
        return self.streams.uniforms(source, self.cohort).at(self.rows)

    def words(self, source: str, n: int) -> Words:
        """Random words of 64 bits for each visitor; shape (visitors, n)."""
        addressed = self.streams.uniforms(source, self.cohort)
        return np.stack([addressed.words(n * self.rows + i) for i in range(n)], axis=1)
