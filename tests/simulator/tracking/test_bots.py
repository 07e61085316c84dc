"""Claims about bots."""

from datetime import timedelta

import numpy as np
import polars as pl
from small_worlds import SE, simulated

from analytics.events.enrichment import enrich
from simulator.settings.population import USER_AGENTS
from simulator.settings.world import WorldSettings


def test_bots_read_the_site_in_order_at_a_machines_pace():
    """A bot opens the site's pages in order, equally far apart; only a crawler says what it is; the rates are kept."""
    settings = {"bots_per_day": 60.0, "undeclared_bots_per_day": 40.0, "bot_pages": 17, "bot_seconds": 1.5}
    world = WorldSettings.model_validate({"traffic": {"visitors_per_day": 100}, "tracking": settings})
    events, outcome = simulated(world, seed=11)
    labels = outcome.labels
    paths = [page.path for page in world.site.pages.values()]
    views = enrich(events).join(labels.select("message_id", "label"), on="message_id", maintain_order="left")
    for (label,), bots in views.group_by("label"):
        assert bots["is_bot"].all() == (label == "crawler")
        assert set(bots["context_user_agent"]) & set(USER_AGENTS.values()) == (
            set() if label == "crawler" else {USER_AGENTS["desktop"]}
        )
    for _, one in views.group_by("anonymous_id"):
        assert one["context_page_path"].to_list() == [paths[i % len(paths)] for i in range(one.height)]
        assert (one["received_at"].diff().drop_nulls() == timedelta(seconds=1.5)).all()
        assert one["context_page_referrer"].null_count() == 1
    per_bot = views.group_by("anonymous_id").len()["len"]
    assert per_bot.max() == 17
    for label, rate in (("crawler", 60), ("disguised_bot", 40)):
        n_bots = views.filter(pl.col("label") == label)["anonymous_id"].n_unique()
        assert abs(n_bots - rate) < SE * np.sqrt(rate)
