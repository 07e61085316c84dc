"""What a shell is offered when somebody presses the tab key."""

from __future__ import annotations

from scenarios.config.library import library_names, study_names

__all__ = ["complete_kind", "complete_scenario", "complete_scenario_or_study", "complete_study"]


def complete_scenario(incomplete: str) -> list[str]:
    """Scenarios of the library that begin like this; where none does, the shell goes on with files."""
    return [name for name in library_names() if name.startswith(incomplete)]


def complete_study(incomplete: str) -> list[str]:
    """Studies of the library that begin like this."""
    return [name for name in study_names() if name.startswith(incomplete)]


def complete_scenario_or_study(incomplete: str) -> list[str]:
    """Scenarios and studies of the library that begin like this."""
    return sorted({*complete_scenario(incomplete), *complete_study(incomplete)})


def complete_kind(incomplete: str) -> list[str]:
    """Kinds of files that have a schema."""
    return [kind for kind in ("scenario", "study") if kind.startswith(incomplete)]
