"""Events of a made-up site, as Segment's analytics.js sends them: ``python -m notebooks.sample_site``.

Nothing here uses funnelsim. The site has paths and names of its own, and its events have no categories, stages, devices
or countries. At the end of each visit somebody who has not yet asked for a demo does so with a probability whose
log-odds are known, so that an analysis can be compared with them.
"""

from __future__ import annotations

import gzip
import json
import math
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

SAMPLE: Final = Path(__file__).parent / "data" / "sample-site.ndjson.gz"
"""The events that the notebook reads; in the public domain (CC0)."""

N_VISITORS: Final = 1500
SEED: Final = 2
"""Of the events in the file."""

INTERCEPT: Final = -3.4
TRUST_PAGES: Final = 1.2
PRICES: Final = 0.7
"""Log-odds of a request in a visit, and what having seen these pages adds to them."""

NEWSLETTER: Final = 0.06
"""Probability that a visitor joins the newsletter in a visit, whatever else they do."""

_HOST: Final = "https://www.tidewater-ledger.example"
_START: Final = datetime(2026, 4, 6, 6, tzinfo=UTC)
_PAGES: Final = {
    "/": 30,
    "/tour/close-the-books": 14,
    "/tour/bank-feeds": 10,
    "/what-it-costs": 12,
    "/trust-center": 5,
    "/trust-center/soc-2": 3,
    "/trust-center/where-data-lives": 2,
    "/field-notes/month-end-in-a-day": 14,
    "/field-notes/spreadsheets-at-night": 10,
    "/proof/harbour-brewing": 6,
    "/proof/northlight-dental": 5,
    "/work-with-us": 4,
    "/work-with-us/data-engineer": 2,
}
_LANGUAGE_OF_ZONE: Final = {
    "America/New_York": "en-US",
    "America/Chicago": "en-US",
    "Europe/Berlin": "de-DE",
    "Europe/Paris": "fr-FR",
    "Asia/Tokyo": "ja-JP",
}
_BROWSERS: Final = (
    ("Macintosh; Intel Mac OS X 10_15_7", "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0.0.0 Safari/537.36"),
    ("Windows NT 10.0; Win64; x64; rv:138.0", "Gecko/20100101 Firefox/138.0"),
    ("iPhone; CPU iPhone OS 18_4 like Mac OS X", "AppleWebKit/605.1.15 Version/18.4 Mobile/15E148 Safari/604.1"),
)
_ARRIVALS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("https://www.google.com/", {}),
    ("https://www.google.com/", {"source": "google", "medium": "cpc", "name": "ledger-brand"}),
    ("https://www.linkedin.com/", {"source": "linkedin", "medium": "paid-social", "name": "controllers"}),
    ("https://bookkeepers.example/", {}),
    ("", {}),
)


def sample_events(n_visitors: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the events of some visitors in the order in which they were received.

    Args:
        n_visitors: Number of visitors.
        seed: Seed of all random numbers.
    """
    rng = random.Random(seed)  # noqa: S311 - a simulation, and the same on every machine
    events = [event for _ in range(n_visitors) for event in _visitor(rng)]
    yield from sorted(events, key=lambda event: (event["receivedAt"], event["messageId"]))


def _visitor(rng: random.Random) -> Iterator[dict[str, Any]]:
    who, zone = f"{rng.getrandbits(48):012x}", rng.choices(list(_LANGUAGE_OF_ZONE), (5, 3, 4, 2, 2))[0]
    system, engine = rng.choices(_BROWSERS, (5, 4, 3))[0]
    device = {
        "userAgent": f"Mozilla/5.0 ({system}) {engine}",
        "timezone": zone,
        "locale": _LANGUAGE_OF_ZONE[zone],
        "library": {"name": "analytics.js", "version": "next-1.77.0"},
    }
    now = _START + timedelta(hours=rng.uniform(0, 24 * 10))
    seen: set[str] = set()
    for _ in range(rng.choices((1, 2, 3, 4), (6, 3, 2, 1))[0]):
        referrer, campaign = rng.choices(_ARRIVALS, (6, 3, 2, 1, 4))[0]
        for path in rng.choices(
            list(_PAGES), list(_PAGES.values()), k=rng.choices((1, 2, 3, 4, 6), (4, 4, 3, 2, 1))[0]
        ):
            context = device | {"page": _page(path, referrer)} | ({"campaign": campaign} if campaign else {})
            yield _event(rng, who, now, context, type="page", properties=_page(path, referrer))
            seen.add("/trust-center" if path.startswith("/trust-center") else path)
            referrer, now = f"{_HOST}{path}", now + timedelta(seconds=rng.uniform(8, 240))
        if rng.random() < NEWSLETTER:
            yield _event(rng, who, now, context, type="track", event="Newsletter Joined", properties={})
            traits = {"email": f"{who}@{rng.choice(('gmail.com', 'harbour-brewing.example'))}"}
            yield _event(rng, who, now + timedelta(seconds=2), context, type="identify", traits=traits)
            now += timedelta(seconds=20)
        log_odds = INTERCEPT + TRUST_PAGES * ("/trust-center" in seen) + PRICES * ("/what-it-costs" in seen)
        if rng.random() < 1 / (1 + math.exp(-log_odds)):
            # A form over the page; the person is named once it has been sent, and so after the request.
            yield _event(
                rng, who, now, context, type="track", event="Walkthrough Booked", properties={"form": "overlay"}
            )
            identity = {"userId": f"u_{who[:8]}", "traits": {"email": f"{who}@northlight-dental.example"}}
            yield _event(rng, who, now + timedelta(seconds=2), context, type="identify", **identity)
            return
        now += timedelta(hours=rng.uniform(5, 90))


def _page(path: str, referrer: str) -> dict[str, str]:
    words = path.strip("/").replace("/", " – ").replace("-", " ").capitalize()
    return {"path": path, "referrer": referrer, "search": "", "title": words or "Home", "url": f"{_HOST}{path}"}


def _event(rng: random.Random, who: str, when: datetime, context: dict[str, Any], **call: object) -> dict[str, Any]:
    sent = when + timedelta(milliseconds=rng.randint(5, 60))
    received = sent + timedelta(milliseconds=rng.randint(30, 250))
    times = {"timestamp": when, "sentAt": sent, "receivedAt": received}
    return {
        **call,
        "context": context,
        "messageId": f"ajs-next-{rng.getrandbits(48):012x}",
        "anonymousId": who,
        "userId": call.get("userId"),
        **{name: f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z" for name, time in times.items()},
    }


def ndjson(n_visitors: int, seed: int) -> bytes:
    """Return the events as JSON, one on each line."""
    return "".join(
        f"{json.dumps(event, separators=(',', ':'))}\n" for event in sample_events(n_visitors, seed)
    ).encode()


def main() -> None:
    """Write the file of the notebook."""
    SAMPLE.parent.mkdir(exist_ok=True)
    # Without a time in it, equal events make an equal file.
    SAMPLE.write_bytes(gzip.compress(ndjson(N_VISITORS, SEED), mtime=0))
    sys.stdout.write(f"{SAMPLE}: {SAMPLE.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
