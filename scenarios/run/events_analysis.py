"""Analysis of event files from any source."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from analytics import report
from analytics.analysis import Analysis
from analytics.errors import AnalyticsError
from analytics.events.dead_letters import DeadLetter
from analytics.events.tracking_plan import EventName
from analytics.io.flatten import Flattened
from analytics.io.reading import EventFormat, located, read_events
from analytics.report.measurement import measurement
from analytics.settings import AnalyticsSettings
from analytics.signals.definitions import ConversionUnit
from analytics.statistics.event_names import renamed
from analytics.statistics.prepared_events import EventsInParts
from analytics.store.hour import IN_ORDER
from analytics.store.whole_history import WholeHistory
from scenarios.errors import InputError, advice
from scenarios.files.atomic_folder import MANIFEST, new_folder
from scenarios.files.checksums import CHECKSUMS
from scenarios.files.plain_data import (
    model_data,
    without_personal_data,
    write_dead_letters,
    write_json,
    write_tables,
)
from scenarios.files.run_folder import check_event_file
from scenarios.files.versions import (
    available_bytes,
    events_in_memory,
    no_room_to_analyse,
    parts_to_analyse,
    versions,
)
from scenarios.run.mapping_proposal import Proposal, propose_mapping

_STDIN: Final = "-"

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
        n_parts: In how many parts the events are analysed.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        history: WholeHistory,
        settings: AnalyticsSettings,
        conversion_unit: ConversionUnit,
        *,
        notes: Sequence[str] = (),
        n_parts: int = 1,
    ) -> None:
        self.inputs = tuple(inputs)
        self.notes = tuple(notes)
        self.store = history
        events = history.events if n_parts == 1 else EventsInParts(history.scan, n_parts, order=IN_ORDER)
        self.analysis = Analysis(events, settings, conversion_unit=conversion_unit)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for a reader of the results."""
        return (
            *self.notes,
            *self._ignored_times(),
            *self._impossible_times(),
            *self.analysis.name_warnings,
            *self.analysis.coverage.warnings(stitch=self.analysis.settings.stitch),
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
            checks of trust, what was seen and what is estimated from it, funnel, pages, arms of experiments and their
            effects, model.
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
            "trust": [asdict(check) for check in report.trust_checks(self.analysis, self.store.counts)],
            "measurement": measurement(self.analysis).counts.to_dicts(),
            "funnel": tables["funnel"].to_dicts(),
            "pages": self.analysis.pages.to_dict(),
            "own_definitions": self.analysis.settings.own_definitions,
            "experiments": self.analysis.experiments.sample_ratios.to_dicts(),
            "experiment_effects": self.analysis.experiments.effects.to_dicts(),
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
            write_tables(working / "statistics", report.result_tables(self.analysis, self.store.counts))
            write_json(working / "model.json", without_personal_data(model_data(self.analysis)))
            provenance = {"inputs": ", ".join(map(_shown, self.inputs)), **versions()}
            # What is not known of pages is said beside the funnel.
            remarks = [warning for warning in self.warnings if warning not in self.analysis.pages.warnings]
            shown = report.analysis_report(
                self.analysis, self.store, title="Events", provenance=provenance, remarks=remarks
            )
            report.write_report(working / "report.html", shown)
            counts = {"store": asdict(self.store.counts)}
            head = {"kind": "analysis", "inputs": list(self.inputs), "versions": versions()}
            manifest = {**head, "checksums": CHECKSUMS, **counts}
            write_json(working / MANIFEST, manifest)


def analyze(
    inputs: str | Path | Sequence[str | Path],
    settings: AnalyticsSettings | None = None,
    conversion_unit: ConversionUnit = "account",
    form: EventFormat | None = None,
    memory: int | None = None,
) -> EventsAnalysis:
    """Read files of events and analyse them together, in the order in which the events arrived.

    The order of files, and of lines within them, does not matter. Events that do not fit into memory are sorted and
    analysed in parts, in temporary files.

    Args:
        inputs: Path of a file or folder of events, or several of them; ``-`` is standard input. All that
            :func:`analytics.io.reading.read_events` reads is recognised by the first bytes, not by the name.
        settings: The analyst's choices; the defaults if not given.
        conversion_unit: Who requests one demo at most: with ``account`` the visits of colleagues after an account's
            first request are left out of the intent model, with ``visitor`` they are kept.
        form: What is known of the inputs beforehand, such as the tool that exported them.
        memory: Bytes that the analysis may take; what is free unless given.

    Raises:
        InputError: A file cannot be read, or is Parquet of something else; or there is no usable event at all; or a
            table is given; or ``memory`` is no size, or too little for the visits.

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
    if memory is not None and not (isinstance(memory, int) and memory > 0):
        raise InputError(f"memory: must be a number of bytes, such as 4_000_000_000 (got {memory!r})")
    paths = [inputs] if isinstance(inputs, str | Path) else inputs
    names = [str(path) for path in paths]
    chosen = settings or AnalyticsSettings()
    files, shown = EventFiles(names, chosen.event_names, form), ", ".join(map(_shown, names))
    # What is free now: the history takes some of it.
    limit = available_bytes() if memory is None else memory
    history = WholeHistory(files.batches(), events_in_memory(limit))
    if files.fault:
        raise InputError(f"{shown}: {files.fault}")
    n_parts = parts_to_analyse(history.counts.accepted, limit)
    if not n_parts:
        raise InputError(
            f"{shown}: {no_room_to_analyse(history.counts.accepted, memory)}; allow more, or analyse a part of them"
        )
    return EventsAnalysis(names, history, chosen, conversion_unit, notes=list(files.notes), n_parts=n_parts)


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


def _reason(name: str, error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error).split("\n", maxsplit=1)[0]
    shown = _shown(name)
    return text if text.startswith(f"{shown}: ") else f"{shown}: {text}"


def _shown(name: str) -> str:
    return "standard input" if name == _STDIN else name


class EventFiles:
    """Files of events, read one after the other, and what is to be said of them.

    Args:
        inputs: Names of the files, as given.
        event_names: The tracking plan's names for foreign ones.
        form: As for :func:`analyze`.
    """

    def __init__(
        self, inputs: Sequence[str], event_names: Mapping[str, str] | None = None, form: EventFormat | None = None
    ) -> None:
        self._inputs, self._event_names, self._form = inputs, event_names or {}, form
        self._unseen_names = set(self._event_names)
        self._n_events = 0
        self._first_letter: DeadLetter | None = None
        self._ids_of_nobody = Counter[str]()
        self._notes: list[str] = []

    def batches(self) -> Iterator[Flattened]:
        """Read the files; foreign names of events are replaced.

        Raises:
            InputError: One cannot be read, or is Parquet of something else.
        """
        for name in self._inputs:
            if name != _STDIN:
                check_event_file(Path(name))
            try:
                for batch in self._read(name):
                    yield self._noted(batch)
            except (AnalyticsError, OSError, pl.exceptions.PolarsError) as error:
                raise InputError(_reason(name, error)) from None

    def _read(self, name: str) -> Iterator[Flattened]:
        if name == _STDIN and sys.stdin is None:
            raise InputError("standard input: is closed")
        source = sys.stdin.buffer if name == _STDIN else name
        batches = read_events(source, self._form, note=self._notes.append)
        # Dead letters of one input alone need not name it.
        return batches if len(self._inputs) == 1 else (located(batch, _shown(name)) for batch in batches)

    def _noted(self, batch: Flattened) -> Flattened:
        self._unseen_names -= set(batch.frame["event"].unique())
        self._n_events += batch.frame.height
        self._first_letter = self._first_letter or next(iter(batch.dead_letters), None)
        self._ids_of_nobody.update(batch.ids_of_nobody)
        return replace(batch, frame=renamed(batch.frame, self._event_names))

    @property
    def fault(self) -> str:
        """Why these files cannot be analysed; empty if they can."""
        if self._n_events:
            return ""
        reasons = "".join(f"; {note}" for note in self._notes)
        if self._first_letter is None:
            return f"holds no events{reasons}"
        return f"holds no usable event; line {self._first_letter.position}: {self._first_letter.detail}{reasons}"

    @property
    def notes(self) -> Iterator[str]:
        """What was not read, or not as it stands there."""
        yield from self._notes
        # An empty text is what libraries send of a visitor who has not signed in.
        if found := [(text, n) for text, n in self._ids_of_nobody.most_common() if text]:
            shown = ", ".join(f"{text!r} ({n:,})" for text, n in found[:_SHOWN]) + (", …" if found[_SHOWN:] else "")
            yield (
                f"{sum(n for _, n in found):,} identifiers stand for nobody and are read as missing: {shown}; a "
                "real user with one of them needs another, such as 'user-0'"
            )
        if self._unseen_names:
            yield f"no event is called {', '.join(map(repr, sorted(self._unseen_names)))}, so nothing is renamed there"
