"""The script that a good analyst would write: one SimPy process per visitor, scalar draws, a dict per event.

It walks the same site by the same probabilities as the baseline scenario, decides by the same logit, queues requests at
a simple sales team, and counts page views by hour. It is the yardstick for the speed of funnelsim. It has no
random streams for comparing scenarios, no time zones, no tracking, no store and no truth to compare estimates with.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Generator
from typing import Any

import simpy

from simulator.settings.world import WorldSettings

DAY_S = 86_400.0
INTERCEPT = -6.15  # 2 % of visitors with the baseline's coefficients


class NaiveFunnel:
    """The whole simulation, state and all.

    Args:
        world: Settings whose site, channels, visits and coefficients are used.
        seed: Seed of Python's own generator.
    """

    def __init__(self, world: WorldSettings, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.env = simpy.Environment()
        self.reps = simpy.Resource(
            self.env, sum(team.account_executives.headcount for team in world.sales.teams.values())
        )
        self.events: list[dict[str, Any]] = []
        self.views_by_hour: Counter[int] = Counter()
        self.channels = list(world.traffic.channels.items())
        self.channel_weights = [channel.share for _, channel in self.channels]
        self.countries = list(world.population.countries)
        self.country_weights = [country.share for country in world.population.countries.values()]
        self.devices = list(world.population.devices)
        self.device_weights = list(world.population.devices.values())

    def run(self) -> int:
        """Simulate a day and return the number of events."""
        self.env.process(self.arrivals())
        self.env.run(until=DAY_S)
        return len(self.events)

    def arrivals(self) -> Generator[simpy.Event, None, None]:
        """Start visitors by thinning a Poisson process at the peak rate."""
        profile = self.world.traffic.hourly_profile
        mean, peak = sum(profile) / 24, max(profile)
        peak_rate = self.world.traffic.visitors_per_day / DAY_S * peak / mean
        number = 0
        while True:
            yield self.env.timeout(self.random.expovariate(peak_rate))
            hour = int(self.env.now // 3600) % 24
            if self.random.random() < profile[hour] / peak:
                number += 1
                self.env.process(self.visitor(f"visitor-{number}"))

    def track(self, visitor: dict[str, Any], kind: str, name: str, **properties: str) -> None:
        """Record an event as a dict."""
        if kind == "page":
            self.views_by_hour[int(self.env.now // 3600)] += 1
        self.events.append(
            {
                "type": kind,
                "messageId": f"{visitor['id']}-{len(self.events)}",
                "anonymousId": visitor["id"],
                "timestamp": self.env.now,
                "name": name,
                "properties": properties,
                "context": {
                    "campaign": visitor["campaign"],
                    "device": {"type": visitor["device"]},
                    "location": {"country": visitor["country"]},
                },
            }
        )

    def visitor(self, name: str) -> Generator[simpy.Event, None, None]:
        """Visit, read, and possibly download, request a demo, or return."""
        draw, visits = self.random, self.world.visits
        channel_name, channel = draw.choices(self.channels, self.channel_weights)[0]
        person: dict[str, Any] = {
            "id": name,
            "campaign": channel.campaign.model_dump() if channel.campaign else {},
            "country": draw.choices(self.countries, self.country_weights)[0],
            "device": draw.choices(self.devices, self.device_weights)[0],
            "company_email": draw.random()
            < self.world.population.account_rate * self.world.population.company_email_rate,
        }
        seen: set[str] = {channel_name}
        landing = channel.landing
        while True:
            started = last = self.env.now
            page_name: str | None = draw.choices(list(landing), list(landing.values()))[0]
            while page_name is not None:
                page = self.world.site.pages[page_name]
                last = self.env.now
                seen.add(page.category)
                self.track(person, "page", page.title, category=page.category, funnel_stage=page.stage)
                if page.form and draw.random() < page.form.submit_rate:
                    seen.add(page.form.event)
                    self.track(person, "track", page.form.event, asset=page.form.asset)
                yield self.env.timeout(draw.weibullvariate(page.dwell_seconds, visits.dwell_shape))
                leaves = draw.random() < page.exit_rate
                page_name = None if leaves else draw.choices(list(page.links), list(page.links.values()))[0]
            if draw.random() < self.probability(person, seen, (last - started) / 60):
                self.track(person, "track", "Demo Requested")
                self.env.process(self.demo(person))
                return
            if draw.random() > visits.return_rate:
                return
            odds = draw.random()
            yield self.env.timeout(1860 + 3600 * visits.gap_hours * (odds / (1 - odds)) ** (1 / visits.gap_shape))
            landing = visits.return_landing

    def probability(self, person: dict[str, Any], seen: set[str], minutes: float) -> float:
        """Probability of a demo request at the end of a visit."""
        signals = {
            "white_paper_download": "White Paper Downloaded" in seen,
            "security_page_view": "security" in seen,
            "pricing_page_view": "pricing" in seen,
            "customer_story_view": "customers" in seen,
            "webinar_registration": "Webinar Registered" in seen,
            "company_email": person["company_email"]
            and ("White Paper Downloaded" in seen or "Webinar Registered" in seen),
            "utm_paid_search": "paid_search" in seen,
            "device_mobile": person["device"] == "mobile",
            "region_europe": person["country"] in {"GB", "DE", "FR", "NL", "SE", "NO"},
            "log_session_minutes": math.log1p(minutes),
        }
        coefficients = self.world.intent.coefficients
        log_odds = INTERCEPT + sum(coefficients.get(name, 0.0) * value for name, value in signals.items())
        if signals["region_europe"] and signals["security_page_view"]:
            log_odds += self.world.intent.interactions.get("region_europe:security_page_view", 0.0)
        return 1 / (1 + math.exp(-log_odds))

    def demo(self, person: dict[str, Any]) -> Generator[simpy.Event, None, None]:
        """Wait for a representative, then hold the demo."""
        with self.reps.request() as turn:
            yield turn
            yield self.env.timeout(60 * self.world.sales.slot_minutes)
        self.track(person, "track", "Demo Held")


def main() -> None:
    """Run the baseline's day and print the speed."""
    started = time.perf_counter()
    funnel = NaiveFunnel(WorldSettings(), seed=7)
    n_events = funnel.run()
    seconds = time.perf_counter() - started
    print(f"{n_events:,} events in {seconds:.2f} s: {n_events / seconds:,.0f} events per second")


if __name__ == "__main__":
    main()
