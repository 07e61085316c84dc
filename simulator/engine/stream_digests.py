"""Random streams that record their draws: tests use them to show that no source affects another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simulator.engine.arrays import Words
from simulator.engine.streams import AddressedUniforms, Streams

if TYPE_CHECKING:
    from hashlib import _Hash


@dataclass(frozen=True)
class _RecordedUniforms(AddressedUniforms):
    """Addressed numbers that hash every address and every draw."""

    trace: _Hash

    def words(self, address: npt.NDArray[np.integer]) -> Words:
        """64 random bits for each address; shape (n,)."""
        words = super().words(address)
        self.trace.update(address.astype("<u8").tobytes() + words.astype("<u8").tobytes())
        return words

    def one(self, address: int) -> float:
        """Uniform number of one address, recorded."""
        return float(self.at(np.array([address % 2**64], dtype=np.uint64))[0])


class RecordingStreams(Streams):
    """Random streams equal to :class:`Streams` that also hash all draws by source.

    Args:
        seed: Any non-negative integer.
        replication: Number of the replication, from 0.

    >>> streams = RecordingStreams(7)
    >>> draws = streams.uniforms("decision").at(np.arange(3))
    >>> list(streams.digests())
    ['decision']
    """

    def __init__(self, seed: int, replication: int = 0) -> None:
        super().__init__(seed, replication)
        self._traces: dict[tuple[str, int], _Hash] = {}
        self._generators: dict[tuple[str, int], np.random.Generator] = {}

    def generator(self, source: str, cohort: int = 0) -> np.random.Generator:
        """NumPy generator of a source; its final state records how much was drawn."""
        generator = super().generator(source, cohort)
        # Every arrival source asks for the companies anew and gets the same numbers, so keeping the last generator is
        # enough.
        self._generators[self.full_name(source), cohort] = generator
        return generator

    def uniforms(self, source: str, cohort: int = 0) -> AddressedUniforms:
        """Addressed uniform numbers of a source, recorded."""
        plain = super().uniforms(source, cohort)
        trace = self._traces.setdefault((self.full_name(source), cohort), hashlib.sha256())
        return _RecordedUniforms(plain.start, plain.increment, trace)

    def digests(self) -> dict[str, str]:
        """SHA-256 of all draws of each source so far, over its cohorts in order; by source name."""
        parts = [(name, cohort, trace.digest()) for (name, cohort), trace in self._traces.items()]
        # A generator has no addresses: its state after the last draw stands for all of them.
        parts += [
            (name, cohort, str(rng.bit_generator.state).encode()) for (name, cohort), rng in self._generators.items()
        ]
        whole: dict[str, _Hash] = {}
        # Sorted, because workers and agents may draw the cohorts in another order.
        for name, cohort, drawn in sorted(parts):
            whole.setdefault(name, hashlib.sha256()).update(f"{cohort}:".encode() + drawn)
        return {name: digest.hexdigest() for name, digest in whole.items()}
