"""Claims about channels of one's own: rules that come before those of Google Analytics."""

import pytest
from flat_events import event, events_of
from pydantic import ValidationError

from analytics.analysis import Analysis
from analytics.settings import AnalyticsSettings

AUDIO = {"context_campaign_source": "talks", "context_campaign_medium": "audio"}
PARTNER = {"context_page_referrer": "https://www.partner.example/list"}


def channels_of(**rules: object) -> list[str | None]:
    """Channel of three arrivals: by a podcast, by a partner's list, and by a tagged link on that list."""
    events = events_of(event(0, **AUDIO), event(1, **PARTNER), event(2, **PARTNER, context_campaign_medium="cpc"))
    settings = AnalyticsSettings.model_validate({"channels": rules})
    return Analysis(lambda: events, settings).events["channel"].to_list()


def test_channels_without_rules_are_those_of_google_analytics():
    """Audio has a channel, a site is a referral."""
    assert channels_of() == ["audio", "referral", "paid_search"]


def test_a_channel_of_ones_own_keeps_its_name():
    """All lists that are given must match, whatever the case; a tagged link is not judged by its referrer."""
    podcast = {"utm_source": ["Talks"], "utm_medium": ["audio", "video"]}
    partner = {"referrer": ["partner.example"]}
    assert channels_of(podcast=podcast, partner=partner) == ["podcast", "partner", "paid_search"]
    assert channels_of(podcast={**podcast, "utm_source": ["elsewhere"]})[0] == "audio"


def test_a_rule_must_say_something():
    """One without any list would match every event."""
    with pytest.raises(ValidationError, match="give at least one of utm_source"):
        channels_of(podcast={})


def test_a_built_in_channel_can_have_a_definition_of_ones_own():
    """It replaces the rule of Google Analytics, in the signals too: what only that rule would put there is other."""
    events = events_of(
        event(0, context_campaign_medium="cpc", context_campaign_source="google"),
        event(1, context_campaign_medium="cpc", context_campaign_source="bing"),
        event(2, **PARTNER),
    )
    rules = {
        "partner": {"referrer": ["partner.example"]},
        "paid_search": {"utm_source": ["bing"], "utm_medium": ["cpc"]},
    }
    analysis = Analysis(lambda: events, AnalyticsSettings.model_validate({"channels": rules}))
    assert analysis.events["channel"].to_list() == ["other", "paid_search", "partner"]
    assert analysis.events["default_channel"].to_list() == ["other", "paid_search", "referral"]
    assert analysis.settings.redefined_signals == {"utm_paid_search"}
    assert analysis.notes == ("own definitions replace built-in channels: paid_search",)
