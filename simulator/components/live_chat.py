"""Live chat on the pricing page."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Annotated

import simpy
from pydantic import Field

from simulator.agents.component import Component, Effect, event_signal
from simulator.agents.plan import Plan
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.settings.base import Count, LogOdds, Positive, Probability, Settings
from simulator.settings.site import PageName

_LONGEST_MINUTES = 25.0
"""Longest wait and longest chat: a visit with 30 minutes without an event is over for analysts."""


class LiveChat(Component):
    """Visitors of a page may chat with an agent, who can talk to one at a time; a chat moves the decision.

    The chat is offered once, on the first view of the page; known companies are served first. Who waits or chats views
    the next page later.
    """

    class Settings(Component.Settings):
        """Settings of a live chat.

        Attributes:
            page: Page on which the chat is offered.
            agents: Number of agents.
            wants_rate: Probability that a visitor of the page would like to chat.
            patience_seconds: Time for which such a visitor waits for an agent; 25 minutes at most.
            mean_minutes: Mean length of a chat; exponentially distributed, but cut at 25 minutes.
            effect: Effect of a chat on all later decisions in log-odds.
        """

        page: PageName = "pricing"
        agents: Count = 3
        wants_rate: Probability = 0.5
        patience_seconds: Annotated[Positive, Field(le=60 * _LONGEST_MINUTES)] = 45.0
        mean_minutes: Positive = 7.0
        effect: LogOdds = 1.2

    settings: Settings
    events = ("Live Chat Started", "Live Chat Ended")

    @property
    def effect_range(self) -> tuple[float, float]:  # type: ignore[override]
        """From no chat to a chat."""
        return min(0.0, self.settings.effect), max(0.0, self.settings.effect)

    def terms(self) -> Mapping[str, Effect]:
        """The effect of a chat."""
        return {"live_chat": Effect(self.settings.effect, event_signal("Live Chat Started", "has chatted"))}

    def touches(self, plan: Plan) -> Bools:
        """Visitors of the page who would like to chat."""
        return plan.views(self.settings.page) & (plan.uniforms("wants") < self.settings.wants_rate)

    def start(self) -> None:
        """Seat the agents."""
        self.agents = simpy.PriorityResource(self.env, self.settings.agents)
        self.n_left = 0

    def on_view(self, visitor: Visitor, page: Page) -> Generator[simpy.Event, object, None] | None:
        """Offer the chat once."""
        if page.name != self.settings.page or self.name in visitor.state:
            return None
        # From now on: nobody is offered a second chat, whatever comes of this one.
        visitor.state[self.name] = "offered"
        return self._chat(visitor)

    def _chat(self, visitor: Visitor) -> Generator[simpy.Event, object, None]:
        with self.agents.request(priority=0 if visitor.account else 1) as turn:
            yield turn | self.env.timeout(seconds=self.settings.patience_seconds)
            if not turn.triggered:
                self.n_left += 1
                return
            # With the event that shows it, so that effect and signal begin at the same moment.
            visitor.state[self.name] = "had"
            visitor.track("Live Chat Started")
            minutes = min(self.rng(visitor, "length").exponential(self.settings.mean_minutes), _LONGEST_MINUTES)
            yield self.env.timeout(minutes=minutes)
            visitor.track("Live Chat Ended")

    def effect(self, visitor: Visitor) -> float:
        """The effect, for visitors who have chatted."""
        return self.settings.effect if visitor.state.get(self.name) == "had" else 0.0

    def measures(self) -> Mapping[str, float]:
        """Chats in progress, visitors who wait, share of the agents who chat, and how many gave up waiting so far."""
        busy, waiting = self.agents.count, len(self.agents.queue)
        utilisation = busy / self.settings.agents
        return {"in_progress": busy, "waiting": waiting, "utilisation": utilisation, "gave_up": self.n_left}
