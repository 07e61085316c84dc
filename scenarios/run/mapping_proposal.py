"""A first mapping of pages and names of events, proposed from what stands in the events, for the user to edit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import polars as pl

from analytics.events.pages import IS_PAGE, addresses, matched_rules
from analytics.events.tracking_plan import CallType, EventName
from analytics.html.escaping import as_line
from analytics.sessions.timeline import VISITOR
from analytics.statistics.event_names import near_names, unknown_names
from scenarios.run.name_words import asks_for_demo, guess_event
from scenarios.run.page_words import HOME, Guess, guess_page, guess_word, language_of

_MOST_UNKNOWN: Final = 40
"""Pages, and names of events, without a guess that are listed; the rest is counted."""

_HEAD: Final = """\
# A mapping of pages and events, proposed by funnelsim map from {inputs}:
# {views} of {visitors} on {pages}. What pages are is guessed by words in their paths:
# correct it, and give the rest a category, a stage (top, middle, bottom), both, or {{}} for neither.
#
# The first glob that matches applies. * stands for any text, also for several folders, so "/legal/*" matches
# "/legal/eu/privacy" and "/legal" itself; "/**/pricing" matches "/pricing" and "/de/pricing". Case, queries and a slash
# at the end do not count. A glob with a host, such as "docs.acme.io/*", matches pages of that host only.
"""


@dataclass(frozen=True)
class Proposal:
    """A proposed mapping.

    Args:
        text: The YAML file, with comments; the option ``--pages`` takes it as it is.
        n_rules: Number of globs with a guess.
        n_unknown: Number of globs without one, which are commented out.
        n_names: Number of names of events that are renamed.
    """

    text: str
    n_rules: int
    n_unknown: int
    n_names: int


class _Rule(NamedTuple):
    glob: str
    guess: Guess | None


def propose_mapping(events: pl.DataFrame, inputs: str, command: str) -> Proposal:
    """Propose a mapping of pages and names of events.

    Args:
        events: Enriched events.
        inputs: Where they come from, for a reader of the file.
        command: The command that uses the file, for its last line.

    >>> from analytics.events.enrichment import enrich
    >>> pages = {"type": "page", "context_page_path": ["/pricing", "/pricing/eu", "/xyz"]}
    >>> proposal = propose_mapping(enrich(pl.DataFrame(pages)), "events.ndjson", "funnelsim analyze events.ndjson")
    >>> [line for line in proposal.text.splitlines() if "pricing/*" in line]
    ['  "/pricing/*": {category: pricing, stage: bottom}  # 2 page views, 0 visitors']
    """
    views = events.filter(IS_PAGE & ~pl.col("is_bot"))
    places = addresses(views)
    visitor = views.select(VISITOR.cast(pl.String)).to_series()
    head = _HEAD.format(
        inputs=_in_a_line(inputs),
        views=_counted(views.height, "page view"),
        visitors=_counted(visitor.drop_nulls().n_unique(), "visitor"),
        pages=_counted(places.unique().height, "page"),
    )
    known = views.select(pl.col("category").is_not_null() & pl.col("funnel_stage").is_not_null()).to_series()
    rules = _rules(places.filter(~known))
    guessed = [rule for rule in rules if rule.guess]
    lines = [head, *_page_lines(rules, views.filter(~known), int(known.sum())), "", *_funnel_lines(guessed), ""]
    n_names, names = _name_lines(events)
    lines += [*names, "", f"# Next: {_in_a_line(command)}"]
    return Proposal("\n".join(lines) + "\n", len(guessed), len(rules) - len(guessed), n_names)


def _rules(places: pl.DataFrame) -> list[_Rule]:
    """Globs for all addresses: those of hosts, those with a guess, the most special first, and the others."""
    hosts = places["host"].unique().sort().to_list()
    of_hosts = {host: guess for host in hosts if (guess := _guess_of_host(host, hosts))}
    paths = places.filter(~pl.col("host").is_in(list(of_hosts)) & (pl.col("path") != ""))["path"].unique().sort()
    homes = [path for path in paths if language_of(path) == path]
    found = _by_base(path for path in paths if path not in homes)
    rules = [_Rule(f"{host}/*", guess) for host, guess in of_hosts.items()]
    rules += [_Rule(path, HOME) for path in homes]
    # A rule for all languages could match what stands below another folder, and one of a person's page everything.
    rules += sorted(
        found, key=lambda rule: (rule.guess is None, rule.glob.startswith(("/**", "/*")), -rule.glob.count("/"))
    )
    return list(dict.fromkeys(rules))


def _guess_of_host(host: str, hosts: Sequence[str]) -> Guess | None:
    """What a subdomain is, if there are other hosts beside it."""
    labels = host.split(".")[:-2] if len(hosts) > 1 else []
    return next((guess for label in labels if (guess := guess_word(label))), None)


def _by_base(paths: Iterator[str]) -> Iterator[_Rule]:
    """Yield one rule for all paths that begin alike: up to the folder with a known word, else of one folder."""
    members: dict[tuple[str, Guess | None], list[str]] = {}
    in_languages: set[tuple[str, Guess | None]] = set()
    for path in paths:
        language = language_of(path)
        rest = path.removeprefix(language)
        base, guess = guess_page(rest) or (f"/{rest.split('/')[1]}", None)
        members.setdefault((base, guess), []).append(rest)
        if language:
            in_languages.add((base, guess))
    for key, rests in members.items():
        base, guess = key
        # One page alone is named itself; a folder is named with all that will be in it.
        is_one = len(set(rests)) == 1 and (guess is None or rests[0] == base)
        glob = rests[0] if is_one else f"{base}/*"
        yield _Rule(_escaped(f"/**{glob}" if key in in_languages else glob), guess)


def _escaped(glob: str) -> str:
    """A glob for a path that may contain what is special in globs, or belongs to one person."""
    return re.sub(r"\[e-mail\]|\[IP address\]|[\ufffd?#\[\]{}^$|\\\s]", "*", as_line(glob))


def _counts(views: pl.DataFrame, globs: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Page views and visitors of each glob, as the first that matches; globs without any are left out."""
    table = views.select(VISITOR.cast(pl.String)).with_columns(matched_rules(views, globs)).drop_nulls("rule")
    counts = table.group_by("rule").agg(views=pl.len(), visitors=pl.col("visitor").drop_nulls().n_unique())
    return {globs[rule]: (n, visitors) for rule, n, visitors in counts.iter_rows()}


def _page_lines(rules: Sequence[_Rule], views: pl.DataFrame, n_known: int) -> Iterator[str]:
    """The section of pages.

    Args:
        rules: Rules, in their order.
        views: Page views without category or stage.
        n_known: Number of page views with both.
    """
    counts = _counts(views, [rule.glob for rule in rules])
    # A category that the events have themselves is better than a guess.
    has_categories = bool(views["category"].is_not_null().all())
    yield "pages:"
    if n_known:
        yield f"  # {_counted(n_known, 'page view')} with a category and a stage of their own are left out here."
    for glob, guess in rules:
        if guess and glob in counts:
            known = {"category": None if has_categories else guess.category, "stage": guess.stage}
            entries = ", ".join(f"{key}: {value}" for key, value in known.items() if value)
            yield _page_line(glob, entries, counts[glob])
    rest = [rule.glob for rule in rules if not rule.guess and rule.glob in counts]
    rest.sort(key=lambda glob: -counts[glob][0])
    if rest:
        yield "  # Without a guess:"
    for glob in rest[:_MOST_UNKNOWN]:
        entries = "stage: …" if has_categories else "category: …, stage: …"
        yield f"  # {_page_line(glob, entries, counts[glob]).lstrip()}"
    if len(rest) > _MOST_UNKNOWN:
        yield f"  # and {len(rest) - _MOST_UNKNOWN:,} more, with fewer page views each"


def _page_line(glob: str, entries: str, counts: tuple[int, int]) -> str:
    n_views, n_visitors = counts
    seen = f"{_counted(n_views, 'page view')}, {_counted(n_visitors, 'visitor')}"
    return f"  {json.dumps(glob, ensure_ascii=False)}: {{{entries}}}  # {seen}"


def _funnel_lines(guessed: Sequence[_Rule]) -> Iterator[str]:
    categories = {rule.guess.category for rule in guessed if rule.guess}
    yield "# Steps of your own, instead of the stages above: pages by glob or category, events by name."
    yield "# funnel:"
    yield '#   - {step: visit, page: "*"}'
    for category in ("product", "pricing", "security"):
        if category in categories:
            yield f"#   - {{step: {category}, page: {category}}}"
    yield f"#   - {{step: demo, event: {EventName.DEMO_REQUESTED}}}"


def _name_lines(events: pl.DataFrame) -> tuple[int, list[str]]:
    """The section of names, and how many are renamed."""
    tracked = events.filter((pl.col("type") == CallType.TRACK) & pl.col("event").is_not_null())
    named = (
        tracked.select(pl.col("event").cast(pl.String).alias("name"), VISITOR.cast(pl.String))
        .group_by("name")
        .agg(n=pl.len(), visitors=pl.col("visitor").drop_nulls().n_unique())
        .sort("n", "name", descending=[True, False])
    )
    counts = {name: f"{_counted(n, 'event')}, {_counted(people, 'visitor')}" for name, n, people in named.iter_rows()}
    ours = {str(name) for name in EventName}
    chosen = _chosen_names(events, list(counts), ours)
    lines = [
        f"# Your names of events, and those that the analysis knows. {EventName.DEMO_REQUESTED} is the outcome.",
        *(f"#   {name}: {text}" for name, text in counts.items() if name in ours),
        "event_names:",
        *(f"  {json.dumps(name, ensure_ascii=False)}: {to}  # {counts[name]}" for name, to in chosen.items()),
    ]
    guesses = {name: guess_event(name) for name in counts if name not in ours and name not in chosen}
    # Candidates for the outcome first, names without a guess last; sorting is stable.
    rest = sorted(guesses, key=lambda name: (guesses[name] != EventName.DEMO_REQUESTED, guesses[name] is None))
    lines += [
        f"  # {json.dumps(name, ensure_ascii=False)}: {guesses[name] or '…'}  # {counts[name]}"
        for name in rest[:_MOST_UNKNOWN]
    ]
    if len(rest) > _MOST_UNKNOWN:
        lines.append(f"  # and {len(rest) - _MOST_UNKNOWN:,} more")
    return len(chosen), lines


def _chosen_names(events: pl.DataFrame, names: Sequence[str], ours: set[str]) -> dict[str, str]:
    """Names that are near one of ours which the events lack; without any request, the only name that looks like one."""
    present = ours.intersection(names)
    chosen = {near.theirs: near.ours for near in near_names(unknown_names(events)) if near.ours not in present}
    demo = str(EventName.DEMO_REQUESTED)
    if demo not in present and demo not in chosen.values():
        asked = [name for name in names if name not in ours and asks_for_demo(name)]
        chosen |= {asked[0]: demo} if len(asked) == 1 else {}
    return chosen


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _in_a_line(text: str) -> str:
    # A comment ends with its line, and names of files may contain any character.
    return "".join(char if char.isprintable() else "?" for char in text)
