"""Forgetting a person: every event of theirs leaves a store, and what is left is searched for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from analytics.durable.checkpoint import Checkpoint, read_checkpoint
from analytics.durable.dead_letter_lines import read_letter
from analytics.durable.files import put_file, remove_file
from analytics.durable.opening import open_existing
from analytics.durable.recovery import SideFiles, StorePaths
from analytics.durable.settings import StoreSettings
from analytics.durable.side_file import as_it_is, without_again
from analytics.durable.upkeep.mentions import LONG_ENOUGH, Mentions, anew, spellings
from analytics.durable.window_files import read_window, write_window
from analytics.errors import StoreError
from analytics.store.counts import StoreCounters

_IDENTIFIERS: Final = ("anonymous_id", "user_id", "previous_id", "email")


@dataclass
class Forgotten:
    """The result of :func:`forget`.

    Args:
        identifiers: All identifiers of the person that were found, sorted; that which was given first.
        n_window: Events removed from the window.
        n_archive: Events removed from the archive.
        n_letters: Dead letters and late events removed.
        n_mentions: Texts of others' events in which an identifier was blacked out.
        n_sources: Names of sources in which one was blacked out; such a source would be read from its beginning.
        n_tables: Files of events that were searched afterwards, and had none of the identifiers.
    """

    identifiers: tuple[str, ...]
    n_window: int = 0
    n_archive: int = 0
    n_letters: int = 0
    n_mentions: int = 0
    n_sources: int = 0
    n_tables: int = 0

    @property
    def is_found(self) -> bool:
        """Whether there was anything of the person."""
        return bool(self.n_events or self.n_letters or self.n_mentions or self.n_sources)

    @property
    def has_short(self) -> bool:
        """Whether some identifier is too short to be looked for in other texts."""
        return any(len(name) < LONG_ENOUGH for name in self.identifiers)

    @property
    def n_events(self) -> int:
        """Accepted events removed."""
        return self.n_window + self.n_archive


def forget(
    folder: str | Path, person: str, settings: StoreSettings | None = None, *, dry_run: bool = False
) -> Forgotten:
    """Remove every event of a person from a store: from window, journal, archive, dead letters and late events.

    A person's events are those with the identifier given (a user id, a browser's ``anonymousId`` or a mail address),
    and those with others that events name together with it. A browser that more than one user id has used is not the
    person's alone: of its events, those with the person's user id go. Identifiers of six characters or more are blacked
    out wherever else they stand, as in the address of a page. Then every file is searched for them.

    Counts of the stream stay: that an event came names nobody. ``n_forgotten`` says how many of the accepted ones are
    gone. The sources, copies and backups are no part of a store.

    Args:
        folder: Folder of the store.
        person: An identifier of the person, as events have it, also where the store hashes it.
        settings: How the store is to be kept.
        dry_run: Only say what would be removed; nothing is changed.

    Raises:
        StoreError: The store cannot be opened or written to, or something of the person is left.

    >>> import tempfile
    >>> from analytics import open_store
    >>> page = b'{"type": "page", "messageId": "%d", "anonymousId": "%s", "timestamp": "2026-03-03T10:00:00Z"}'
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with open_store(place) as store:
    ...         _ = store.append_json(page % (1, b"browser-1")), store.append_json(page % (2, b"browser-2"))
    ...     forget(place, "browser-1").n_window
    1
    """
    if not person.strip():
        raise StoreError("give an identifier of the person to be forgotten")
    paths = StorePaths(Path(folder))
    with open_existing(folder, settings) as store:
        store.checkpoint()
        given = dict.fromkeys([person, *(store.privacy.text(name, person) or person for name in _IDENTIFIERS)])
        work = _Forgetting(paths, (*given, *_begun(paths)))
        if dry_run:
            work.count()
            return work.found
        # What joins the identifiers goes with the first events: one that dies needs them when it is run again.
        put_file(paths.forgetting, json.dumps(work.found.identifiers).encode())
        for left in paths.folder.rglob(".*.new"):
            remove_file(left)
        work.forget_letters()
        work.forget_archive()
        store.rewrite(work.rewritten)
        for path in paths.damaged.glob("*"):
            # Nobody can tell what is in it.
            remove_file(path)
        remove_file(paths.forgetting)
        work.search()
    return work.found


class _Forgetting:
    """The files of a store without a person."""

    def __init__(self, paths: StorePaths, given: tuple[str, ...]) -> None:
        self._paths = paths
        names = _identifiers(tuple(map(_plain, given)), self._tables(_IDENTIFIERS))
        self.found = Forgotten((given[0], *sorted(names - {_plain(given[0])})))
        self._names = pl.Series(sorted(names), dtype=pl.String)
        self._mentions = Mentions(names)

    def rewritten(self, checkpoint: Checkpoint, number: int, files: SideFiles) -> Checkpoint:  # noqa: ARG002
        """The checkpoint without the person, whose files are written."""
        parts = write_window(self._paths.window, number, self._window_without(checkpoint))
        counters = StoreCounters.from_dict(checkpoint.summary["tallies"])
        # By what is recorded, as a process may have died that had forgotten a part.
        in_archive = self._paths.archive.n_forgotten
        counters.forgotten += self.found.n_window + in_archive - checkpoint.forgotten_in_archive
        summary = {**checkpoint.summary, "tallies": counters.to_dict()}
        # Their files were written anew; what the store had in memory of them is forgotten with it.
        states: dict[str, Any] = {
            "dead_letters": as_it_is(checkpoint.dead_letters, self._paths.dead_letters),
            "late": as_it_is(checkpoint.late, self._paths.late),
        }
        offsets = {self._mentions.blacked_out(name): offset for name, offset in checkpoint.offsets.items()}
        self.found.n_sources = len(checkpoint.offsets.keys() - offsets.keys())
        states["offsets"] = without_again(offsets)
        facts = {"number": number, "summary": summary, "parts": parts, "forgotten_in_archive": in_archive}
        return checkpoint.model_copy(update=facts | states)

    def _window_without(self, checkpoint: Checkpoint) -> Iterator[pl.DataFrame]:
        for _, table in read_window(self._paths.window, checkpoint):
            kept = self._without(table)
            self.found.n_window += table.height - kept.height
            yield anew(kept)

    def count(self) -> None:
        """Count what would be removed."""
        for path, table in self._tables():
            n = table.height - self._without(table).height
            if path.parent == self._paths.window:
                self.found.n_window += n
            else:
                self.found.n_archive += n
        lines = (line for path in self._paths.letter_files() for line in path.read_bytes().splitlines(keepends=True))
        self.found.n_letters = sum(map(self._names_person, lines))

    def forget_archive(self) -> None:
        """Write those hours of the archive anew that have something of the person."""
        archive, recorded = self._paths.archive, self._paths.archive.n_recorded
        for path in archive.hours().values():
            n_events, is_changed = 0, False
            for table in archive.read(path):
                kept = self._without(table)
                self.found.n_archive += table.height - kept.height
                n_events += table.height
                is_changed |= not kept.equals(table)
            # If it has others than were recorded, a process died as it wrote it anew.
            if is_changed or recorded.get(path, n_events) != n_events:
                archive.put_again(path, (self._cleaned(table)[0] for table in archive.read(path)))

    def forget_letters(self) -> None:
        """Write the files of letters anew without those that name the person."""
        for path in self._paths.letter_files():
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if not self._names_person(line)]
            if len(kept) < len(lines):
                self.found.n_letters += len(lines) - len(kept)
                put_file(path, b"".join(kept))

    def search(self) -> None:
        """Search every file for the person.

        Raises:
            StoreError: Something is left.
        """
        left = [path for path in self._text_files() if self._is_in(path.read_text("utf-8", "replace"))]
        searched = set[Path]()
        for path, table in self._tables():
            searched.add(path)
            kept, n_mentions = self._cleaned(table)
            if n_mentions or kept.height < table.height:
                left.append(path)
        self.found.n_tables = len(searched)
        if left:
            where = ", ".join(map(str, dict.fromkeys(left)))
            raise StoreError(f"something of the person is left in {where}; look at it and remove it by hand")

    def _tables(self, columns: Sequence[str] | None = None) -> Iterator[tuple[Path, pl.DataFrame]]:
        """All events, in parts, with the file that they are in."""
        checkpoint = read_checkpoint(self._paths.folder)
        for part, table in read_window(self._paths.window, checkpoint) if checkpoint else ():
            yield self._paths.window / part.name, table if columns is None else table.select(columns)
        for path in self._paths.archive.hours().values():
            for table in self._paths.archive.read(path, columns):
                yield path, table

    def _text_files(self) -> Iterator[Path]:
        yield from self._paths.letter_files()
        yield from sorted(self._paths.folder.glob("*.json"))
        yield from sorted(self._paths.journal.glob("*"))

    def _without(self, table: pl.DataFrame) -> pl.DataFrame:
        """The events of others, with the person blacked out in their texts, which are counted."""
        kept, n_mentions = self._cleaned(table)
        self.found.n_mentions += n_mentions
        return kept

    def _cleaned(self, table: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        theirs = pl.any_horizontal(
            _identifier(name).is_in(self._names.implode()).fill_null(value=False) for name in _IDENTIFIERS
        )
        return self._mentions.removed_from(table.filter(~theirs))

    def _names_person(self, line: bytes) -> bool:
        letter = read_letter(line)
        text = (line if letter is None else letter[0].raw).decode("utf-8", "replace")
        return self._is_in(text) or self._is_in(line.decode("utf-8", "replace"))

    def _is_in(self, text: str) -> bool:
        short = [name for name in self._names if len(name) < LONG_ENOUGH]
        return self._mentions.found_in(text) or any(f'"{name}"' in form for name in short for form in spellings(text))


def _identifiers(given: tuple[str, ...], tables: Iterator[tuple[Path, pl.DataFrame]]) -> set[str]:
    """The identifiers given, and those that events name together with them and with no other user id."""
    none = pl.DataFrame(schema=dict.fromkeys(_IDENTIFIERS, pl.String))
    together = (table.select(map(_identifier, _IDENTIFIERS)).unique() for _, table in tables)
    links, users_of = list[tuple[str | None, set[str]]](), dict[str, set[str]]()
    for anonymous_id, user_id, previous_id, email in pl.concat([none, *together]).unique().iter_rows():
        others = {name for name in (anonymous_id, previous_id, email) if name is not None}
        links.append((user_id, others))
        for name in others:
            users_of.setdefault(name, set()).update({user_id} - {None})
    names, n_before = set(given), 0
    while len(names) > n_before:
        n_before = len(names)
        for user_id, others in links:
            known = others & names
            if user_id is not None and any(users_of[name] == {user_id} for name in known):
                names.add(user_id)
            if known or user_id in names:
                names |= {name for name in others if users_of[name] <= names}
    return names


def _begun(paths: StorePaths) -> tuple[str, ...]:
    """Identifiers that a process was forgetting when it died."""
    if not paths.forgetting.exists():
        return ()
    try:
        return tuple(json.loads(paths.forgetting.read_bytes()))
    except ValueError:
        return ()


def _plain(name: str) -> str:
    """An identifier as it is compared: capitals mean nothing in a mail address."""
    return name.strip().lower() if "@" in name else name


def _identifier(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String)
    return pl.when(text.str.contains("@", literal=True)).then(text.str.strip_chars().str.to_lowercase()).otherwise(text)
