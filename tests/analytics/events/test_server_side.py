"""Tests of analytics.events.server_side."""

import pytest
from flat_events import CRAWLER, DEMO, event, events_of

from analytics.events.enrichment import enrich
from analytics.statistics.funnel import FunnelStatistics

BY_SERVER = {"context_library_name": "analytics-node"}


@pytest.mark.parametrize("agent", ["axios/1.6.2", "python-requests/2.31.0", "Go-http-client/1.1"])
def test_the_user_agent_of_a_servers_client_makes_no_bot(agent: str):
    """A request that a server reports is the visitor's, whatever program sent it."""
    request = event(5, DEMO, context_user_agent=agent, **BY_SERVER)
    totals = FunnelStatistics(events_of(event(0), request)).totals()
    assert totals.select("demo_requests", "converted").row(0) == (1, 1)


def test_a_crawler_is_a_bot_whoever_reports_its_page_views():
    """With a page view that a server reports comes the user agent of the visitor; a browser's calls are its own."""
    view, request = event(0, context_user_agent=CRAWLER, **BY_SERVER), event(5, DEMO, context_user_agent=CRAWLER)
    assert enrich(events_of(view, request))["is_bot"].to_list() == [True, True]
