"""Analysis of event files from any source."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import polars as pl

from analytics import report
from analytics.analysis import Analysis
from analytics.errors import AnalyticsError
from analytics.events.dead_letters import DeadLetter
from analytics.events.tracking_plan import EVENT_SCHEMA, EventName
from analytics.io.flatten import Flattened
from analytics.io.reading import EventFormat, located, read_events
from analytics.settings import AnalyticsSettings
from analytics.signals.definitions import ConversionUnit
from analytics.statistics.event_names import renamed
from analytics.store.history import EventHistory
from analytics.store.whole_history import WholeHistory
from scenarios.errors import InputError, advice
from scenarios.files.atomic_folder import MANIFEST, new_folder
from scenarios.files.plain_data import model_data, write_dead_letters, write_json, write_tables
from scenarios.files.versions import versions
from scenarios.run.mapping_proposal import Proposal, propose_mapping

_STDIN: Final = "-"

_ROWS_AT_ONCE: Final = 100_000

_SHOWN: Final = 5
"""Texts that a note shows."""


class EventsAnalysis:
    """The analysis of some files of events.

    Args:
        inputs: Names of the files, as given.
        history: The events, judged in order of arrival (first delivery, duplicate, …).
        settings: The analyst's choices.
        conversion_unit: Who requests one demo at most.
        notes: What was not read.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        history: WholeHistory,
        settings: AnalyticsSettings,
        conversion_unit: ConversionUnit,
        notes: Sequence[str] = (),
    ) -> None:
        self.inputs = tuple(inputs)
        self.notes = tuple(notes)
        self.store = history
        self.analysis = Analysis(history.events, settings, conversion_unit=conversion_unit)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for a reader of the results."""
        return (
            *self.notes,
            *self._ignored_times(),
            *self._impossible_times(),
            *self.analysis.name_warnings,
            *self.analysis.coverage_warnings,
            *self._requests_left_out(),
            *self.analysis.experiments.warnings,
            *self.analysis.pages.warnings,
        )

    def _ignored_times(self) -> Iterator[str]:
        if ignored := self.store.ignored_times:
            keys = ", ".join(f"{key} {n:,}" for key, n in ignored.items())
            yield f"{sum(ignored.values()):,} times could not be read, and were ignored because others can ({keys})"

    def _impossible_times(self) -> Iterator[str]:
        if n := self.analysis.n_impossible_times:
            yield f"{n:,} events have times far from all others: a wrong clock set them; they are in no figure"
        if n := self.store.n_future:
            yield f"{n:,} events claimed a time after their arrival: they count at the arrival"

    def _requests_left_out(self) -> Iterator[str]:
        if left_out := self.analysis.n_requests_left_out:
            yield (
                f"{left_out:,} demo requests came after the first one of their account; the intent model leaves these "
                "visits out (--conversion-unit visitor keeps them)"
            )

    def propose_mapping(self, command: str | None = None) -> Proposal:
        """Propose a mapping of the pages and names of these events, by words in them.

        Args:
            command: The command that uses the mapping, for its last line; one is made of the inputs unless given.
        """
        inputs = ", ".join(map(_shown, self.inputs))
        usual = shlex.join(["funnelsim", "analyze", *self.inputs, "--pages", "mapping.yaml"])
        return propose_mapping(self.analysis.events, inputs, command or usual)

    def to_dict(self) -> dict[str, Any]:
        """Return the store's counters and the results as plain data.

        Returns:
            Counters of the store, inputs, warnings, dead letters by reason, events with impossible times, totals,
            funnel, pages, arms of experiments, model.
        """
        tables = self.analysis.tables()
        return {
            **asdict(self.store.counts),
            "inputs": list(self.inputs),
            "warnings": list(self.warnings),
            "invalid_by_reason": {str(reason): n for reason, n in self.store.dead_letter_counts.items()},
            "impossible_times": self.analysis.n_impossible_times,
            "future": self.store.n_future,
            "totals": tables["totals"].to_dicts()[0],
            "funnel": tables["funnel"].to_dicts(),
            "pages": self.analysis.pages.to_dict(),
            "own_definitions": self.analysis.settings.own_definitions,
            "experiments": self.analysis.experiments.sample_ratios.to_dicts(),
            "model": model_data(self.analysis),
        }

    def write(self, folder: Path) -> None:
        """Write a folder of results; it appears whole or not at all.

        Args:
            folder: The folder; an earlier analysis there is replaced.

        Raises:
            OutputError: The folder cannot be written, or holds what funnelsim did not make.
        """
        with new_folder(folder) as working:
            write_dead_letters(working / "dead_letters.ndjson", self.store.dead_letters)
            write_tables(working / "statistics", self.analysis.tables())
            write_json(working / "model.json", model_data(self.analysis))
            provenance = {"inputs": ", ".join(map(_shown, self.inputs)), **versions()}
            # What is not known of pages is said beside the funnel.
            remarks = [warning for warning in self.warnings if warning not in self.analysis.pages.warnings]
            shown = report.analysis_report(
                self.analysis, self.store, title="Events", provenance=provenance, remarks=remarks
            )
            report.write_report(working / "report.html", shown)
            counts = {"store": asdict(self.store.counts)}
            manifest = {"kind": "analysis", "inputs": list(self.inputs), "versions": versions(), **counts}
            write_json(working / MANIFEST, manifest)


def analyze(
    inputs: str | Path | Sequence[str | Path],
    settings: AnalyticsSettings | None = None,
    conversion_unit: ConversionUnit = "account",
    form: EventFormat | None = None,
) -> EventsAnalysis:
    """Read files of events and analyse them together, in the order in which the events arrived.

    The order of files, and of lines within them, does not matter.

    Args:
        inputs: Path of a file or folder of events, or several of them; ``-`` is standard input. All that
            :func:`analytics.io.reading.read_events` reads is recognised by the first bytes, not by the name.
        settings: The analyst's choices; the defaults if not given.
        conversion_unit: Who requests one demo at most: with ``account`` the visits of colleagues after an account's
            first request are left out of the intent model, with ``visitor`` they are kept.
        form: What is known of the inputs beforehand, such as the tool that exported them.

    Raises:
        InputError: A file cannot be read, or is Parquet of something else; or there is no usable event at all; or a
            table is given.

    >>> import tempfile
    >>> from scenarios import Scenario
    >>> run = Scenario.load("baseline", {"clock.hours": 1}).run()
    >>> with tempfile.TemporaryDirectory() as place:
    ...     run.events.write_parquet(f"{place}/events.parquet")
    ...     found = analyze(f"{place}/events.parquet")
    >>> found.store.counts == run.store.counts
    True
    """
    if hasattr(inputs, "columns"):
        raise InputError("inputs: is a table, not a path; fs.Analysis(table) takes one, or write it to a file first")
    paths = [inputs] if isinstance(inputs, str | Path) else inputs
    names = [str(path) for path in paths]
    chosen = settings or AnalyticsSettings()
    archive = read_files(names, chosen.event_names, form)
    if archive.fault:
        raise InputError(f"{', '.join(map(_shown, names))}: {archive.fault}")
    notes = [*archive.notes, *archive.nobody(), *archive.unseen_names()]
    return EventsAnalysis(names, archive.whole_history(), chosen, conversion_unit, notes)


def read_files(
    inputs: Sequence[str], event_names: Mapping[str, str] | None = None, form: EventFormat | None = None
) -> ArrivalSorter:
    """Read files of events, to be judged in order of arrival.

    Args:
        inputs: As for :func:`analyze`.
        event_names: The tracking plan's names for foreign ones.
        form: As for :func:`analyze`.

    Raises:
        InputError: A file cannot be read, or is Parquet of something else.
    """
    archive = ArrivalSorter(event_names, is_alone=len(inputs) == 1)
    for name in inputs:
        try:
            _read(name, archive, form)
        except (AnalyticsError, OSError, pl.exceptions.PolarsError) as error:
            raise InputError(_reason(name, error)) from None
    return archive


def mapped_settings(settings: AnalyticsSettings | None, event_names: Sequence[str]) -> AnalyticsSettings:
    """Add names of events to the settings.

    Args:
        settings: The analyst's choices; the defaults if None.
        event_names: Foreign names and ours, as the command line has them: ``["Demo Booked=Demo Requested"]``.

    Raises:
        InputError: A side is empty, or ours is not an event of the tracking plan.

    >>> mapped_settings(None, ["Demo Booked=Demo Requested"]).event_names
    {'Demo Booked': 'Demo Requested'}
    """
    chosen, known = settings or AnalyticsSettings(), [str(name) for name in EventName]
    names = dict(chosen.event_names)
    for text in event_names:
        theirs, _, ours = text.rpartition("=")
        if not theirs or ours not in known:
            wrong = f"; there is no event {ours!r}{advice(ours, known)}" if theirs else ""
            raise InputError(f"--rename-event {text}: is not THEIRS=OURS, such as 'Demo Booked=Demo Requested'{wrong}")
        names[theirs] = ours
    return chosen.model_copy(update={"event_names": names})


def _read(name: str, archive: ArrivalSorter, form: EventFormat | None) -> None:
    if name == _STDIN and sys.stdin is None:
        raise InputError("standard input: is closed")
    source = sys.stdin.buffer if name == _STDIN else name
    for batch in read_events(source, form, note=archive.notes.append):
        archive.append_flattened(batch if archive.is_alone else located(batch, _shown(name)))


def _reason(name: str, error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error).split("\n", maxsplit=1)[0]
    shown = _shown(name)
    return text if text.startswith(f"{shown}: ") else f"{shown}: {text}"


def _shown(name: str) -> str:
    return "standard input" if name == _STDIN else name


class ArrivalSorter:
    """Collects events from files, so that a store can judge them in order of arrival.

    A stream comes in order of arrival; files do not: the pages of a month, then its demo requests.

    Args:
        event_names: The tracking plan's names for foreign ones.
        is_alone: Whether all come from one input, so that dead letters need not name theirs.
    """

    def __init__(self, event_names: Mapping[str, str] | None = None, *, is_alone: bool = True) -> None:
        self.is_alone = is_alone
        self.notes: list[str] = []
        self._event_names = event_names or {}
        self._unseen_names = set(self._event_names)
        self._frames = [EVENT_SCHEMA.to_frame()]
        self._letters: list[DeadLetter] = []
        self._ignored_times = Counter[str]()
        self._ids_of_nobody = Counter[str]()

    def append_flattened(self, batch: Flattened) -> None:
        """Add a batch of flattened lines.

        Args:
            batch: Events and dead letters; foreign names of events are replaced.
        """
        self._unseen_names -= set(batch.frame["event"].unique())
        self._frames.append(renamed(batch.frame, self._event_names))
        self._letters.extend(batch.dead_letters)
        self._ignored_times.update(batch.ignored_times)
        self._ids_of_nobody.update(batch.ids_of_nobody)

    @property
    def fault(self) -> str:
        """Why these files cannot be analysed; empty if they can."""
        if any(frame.height for frame in self._frames):
            return ""
        reasons = "".join(f"; {note}" for note in self.notes)
        if not self._letters:
            return f"holds no events{reasons}"
        return f"holds no usable event; line {self._letters[0].position}: {self._letters[0].detail}{reasons}"

    def history(self) -> EventHistory:
        """Let a store with a window of 24 hours judge all events, as it judged them when they were simulated.

        Returns:
            The store and all events that it accepted.
        """
        history = EventHistory()
        # Dead letters have no time of arrival that could be trusted, so they come first.
        history.store.append_flattened(Flattened(EVENT_SCHEMA.to_frame(), tuple(self._letters), self._ignored_times))
        for part in self._in_order_of_arrival().iter_slices(_ROWS_AT_ONCE):
            history.store.append_flattened(Flattened(part))
        return history

    def whole_history(self) -> WholeHistory:
        """Judge all events together, without a window: however far apart they are, none is late."""
        return WholeHistory(Flattened(self._in_order_of_arrival(), tuple(self._letters), self._ignored_times))

    def unseen_names(self) -> Iterator[str]:
        """Yield a note of names that would be replaced, but that no event has."""
        if self._unseen_names:
            yield f"no event is called {', '.join(map(repr, sorted(self._unseen_names)))}, so nothing is renamed there"

    def nobody(self) -> Iterator[str]:
        """Yield a note of the texts that stand for nobody where an identifier should be, the most frequent first."""
        # An empty text is what libraries send of a visitor who has not signed in.
        if found := [(text, n) for text, n in self._ids_of_nobody.most_common() if text]:
            shown = ", ".join(f"{text!r} ({n:,})" for text, n in found[:_SHOWN]) + (", …" if found[_SHOWN:] else "")
            yield (
                f"{sum(n for _, n in found):,} identifiers stand for nobody and are read as missing: {shown}; a "
                "real user with one of them needs another, such as 'user-0'"
            )

    def _in_order_of_arrival(self) -> pl.DataFrame:
        """The events by arrival; of one moment, as they were read."""
        # The sort is stable: within one millisecond the order of the file is the only one there is.
        return pl.concat(self._frames).sort("received_at", maintain_order=True)
