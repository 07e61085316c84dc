"""What is known of the pages of events: which have a category and a funnel stage, and which a mapping does not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import polars as pl

from analytics.events.pages import IS_PAGE, PageRule, addresses, matched_rules
from analytics.sessions.timeline import VISITOR
from analytics.signals.definitions import SIGNALS, EverSeen
from analytics.signals.site import FunnelStep

_MOST_NAMED: Final = 10
"""Pages or globs that a sentence names; more would bury it."""

_MOST_LISTED: Final = 50
"""Pages that a list has, about as many as fit on a screen."""

_WAY_OUT: Final = "funnelsim map proposes a mapping of pages for --pages"


@dataclass(frozen=True, eq=False)
class PageCoverage:
    """How many page views have a category and a funnel stage, and what a mapping of pages does not cover.

    Args:
        n_views: Page views of people.
        n_with_category: Of these, views of pages with a category, by the events or by the mapping.
        n_with_stage: Of these, views of pages with a funnel stage, likewise.
        unmapped: Pages that no rule matches and that have neither: ``page``, the path, after the host where there are
            several; ``page_views`` and ``visitors``; the most viewed first.
        is_mapped: Whether there is a mapping.
        unused: Globs of the mapping that apply to no page.
        near_categories: Categories of the mapping that are nearly, but not, ones that built-in signals read, and those.
        empty_steps: Names of the steps of an own funnel that no event takes.
        needs_stages: Whether the funnel depends on stages, because there are no own steps.
    """

    n_views: int
    n_with_category: int
    n_with_stage: int
    unmapped: pl.DataFrame
    is_mapped: bool = False
    unused: tuple[str, ...] = ()
    near_categories: tuple[tuple[str, str], ...] = ()
    empty_steps: tuple[str, ...] = ()
    needs_stages: bool = True

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of categories and funnels should know."""
        return (*self._missing(), *self._not_mapped(), *self._without_effect())

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain data, with the most viewed unmapped pages, and how many there are in all."""
        return {
            "page_views": self.n_views,
            "with_category": self.n_with_category,
            "with_stage": self.n_with_stage,
            "n_unmapped": self.unmapped.height,
            "unmapped": self.unmapped.head(_MOST_LISTED).to_dicts(),
        }

    def _missing(self) -> Iterator[str]:
        facts = {"category": (self.n_with_category, "content"), "funnel stage": (self.n_with_stage, "the funnel")}
        if not self.needs_stages:
            facts.pop("funnel stage")
        none = [fact for fact, (n, _) in facts.items() if self.n_views and not n]
        if none:
            unknown = [facts[fact][1] for fact in none]
            verb = "are" if len(unknown) > 1 else "is"
            yield (
                f"no page has a {' or a '.join(none)}, so {' and '.join(unknown)} {verb} unknown"
                f"{self._listed(': the pages are ') if not self.is_mapped else ''} ({_WAY_OUT})"
            )
        known = {fact: n for fact, (n, _) in facts.items() if 0 < n < self.n_views}
        # Most often a page lacks both, which is one thing to say.
        for n in dict.fromkeys(known.values()):
            missing = " or ".join(fact for fact in known if known[fact] == n)
            share = (self.n_views - n) / self.n_views
            yield f"{self.n_views - n:,} of {self.n_views:,} page views ({share:.1%}) have no {missing} ({_WAY_OUT})"

    def _not_mapped(self) -> Iterator[str]:
        if self.is_mapped and self.unmapped.height:
            views = int(self.unmapped["page_views"].sum())
            yield f"{views:,} of {self.n_views:,} page views are in no rule of analytics.pages{self._listed(': ')}"

    def _without_effect(self) -> Iterator[str]:
        if self.unused:
            named = _shortened([repr(glob) for glob in self.unused])
            yield f"analytics.pages: no page of these events has {named} as the first glob that matches"
        for given, built_in in self.near_categories:
            yield f"analytics.pages: category {given!r} is near {built_in!r}, which a signal reads, but is not it"
        for step in self.empty_steps:
            yield f"analytics.funnel: no event takes the step {step!r}"

    def _listed(self, before: str) -> str:
        """The most viewed pages that are not mapped, with their counts."""
        if self.unmapped.is_empty():
            return ""
        rows = self.unmapped.select("page", "page_views").iter_rows()
        return before + _shortened([f"{page or 'without an address'} ({n:,})" for page, n in rows])


def _shortened(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


@dataclass(frozen=True, eq=False)
class PageCounts:
    """What is counted of the pages of some people, and adds up to :class:`PageCoverage`.

    Args:
        n_views: Page views of people.
        n_with_category: Of these, views of pages with a category.
        n_with_stage: Of these, views of pages with a funnel stage.
        by_path: Pages that no rule matches and that have neither: ``path``, ``page_views`` and ``visitors``.
        by_address: The same by ``host`` and ``path``.
        used: Numbers of the rules that match a page.
        taken: Names of the steps that somebody takes.
    """

    n_views: int
    n_with_category: int
    n_with_stage: int
    by_path: pl.DataFrame
    by_address: pl.DataFrame
    used: frozenset[int]
    taken: frozenset[str]

    @classmethod
    def of(cls, events: pl.DataFrame, rules: Sequence[PageRule] = (), steps: Sequence[FunnelStep] = ()) -> PageCounts:
        """Count what is known of the pages of events.

        Args:
            events: Enriched events, with what the mapping says of their pages.
            rules: The mapping.
            steps: Steps of the own funnel, if there is one.
        """
        views = events.filter(IS_PAGE & ~pl.col("is_bot"))
        globs = [rule.glob for rule in rules]
        matched = (
            matched_rules(views, globs) if rules else pl.Series([None], dtype=pl.UInt32).new_from_index(0, views.height)
        )
        has_category, has_stage = (views[name].is_not_null() for name in ("category", "funnel_stage"))
        taken = events.select(step.expression.any().alias(step.name) for step in steps)
        unmapped = views.filter(matched.is_null() & ~has_category & ~has_stage)
        viewed = addresses(unmapped).hstack([unmapped.select(VISITOR.cast(pl.String)).to_series()])
        return cls(
            n_views=views.height,
            n_with_category=int(has_category.sum()),
            n_with_stage=int(has_stage.sum()),
            by_path=_views_by(viewed, "path"),
            by_address=_views_by(viewed, "host", "path"),
            used=frozenset(matched.drop_nulls().unique()),
            taken=frozenset(name for name in taken.columns if taken[name].item()),
        )

    def coverage(self, rules: Sequence[PageRule] = (), steps: Sequence[FunnelStep] = ()) -> PageCoverage:
        """What these counts say of the mapping and the steps by which they were made.

        >>> from analytics.events.enrichment import enrich
        >>> events = enrich(pl.DataFrame({"type": ["page"] * 2, "context_page_path": ["/about", "/jobs"]}))
        >>> found = PageCounts.of(events).coverage()
        >>> found.n_with_stage, found.unmapped["page"].to_list()
        (0, ['/about', '/jobs'])
        """
        return PageCoverage(
            n_views=self.n_views,
            n_with_category=self.n_with_category,
            n_with_stage=self.n_with_stage,
            unmapped=self._unmapped(),
            is_mapped=bool(rules),
            unused=tuple(rule.glob for number, rule in enumerate(rules) if number not in self.used),
            near_categories=tuple(_near_categories(rules)),
            empty_steps=tuple(step.name for step in steps if step.name not in self.taken),
            needs_stages=not steps,
        )

    def _unmapped(self) -> pl.DataFrame:
        several = self.by_address["host"].replace("", None).drop_nulls().n_unique() > 1
        table = self.by_address if several else self.by_path
        return (
            table.group_by(page=pl.concat_str("host", "path") if several else pl.col("path"))
            .agg(pl.col("page_views", "visitors").sum())
            .sort("page_views", "page", descending=[True, False])
        )


def _views_by(views: pl.DataFrame, *keys: str) -> pl.DataFrame:
    return views.group_by(keys).agg(page_views=pl.len(), visitors=pl.col("visitor").n_unique())


def _near_categories(rules: Sequence[PageRule]) -> Iterator[tuple[str, str]]:
    """Yield categories that somebody may have misspelt, each with the built-in one that is near."""
    of_pages = (signal for signal in SIGNALS if isinstance(signal, EverSeen) and signal.column == "category")
    built_in = [str(value) for signal in of_pages for value in signal.values]
    for category in dict.fromkeys(rule.category for rule in rules):
        near = get_close_matches(category or "", built_in, n=1, cutoff=0.8)
        if category and near and category not in built_in:
            yield category, near[0]
