"""Claims about impossible settings: each is refused before the clock starts, with what is wrong and where."""

from typing import Any

import pytest
from pydantic import ValidationError

from simulator.settings.world import WorldSettings

DAY = "2026-03-03T{}:00Z"
SALE = {"start": DAY.format("09:00"), "end": DAY.format("15:20"), "channel": "paid_search", "visitors": 500}
BOOM = {"kind": "launch", "start": DAY.format("12:00"), "end": DAY.format("14:00"), "factor": 3.0}
OUTAGE = {"kind": "outage", "start": DAY.format("13:00"), "end": DAY.format("16:00")}
FORM = {"asset": "x", "submit_rate": 1}
HIRE = {"rep": 1, "on": "2026-03-03"}
ABSENCE = {"rep": 1, "first": "2026-03-04", "last": "2026-03-03"}


def channels(*shares: float) -> dict[str, Any]:
    """Channels with these shares."""
    return {"channels": {f"channel {i}": {"share": share} for i, share in enumerate(shares)}}


def page(exit_rate: float, **links: float) -> dict[str, Any]:
    """A page with these links."""
    return {"path": "/", "title": "t", "category": "c", "stage": "top", "exit_rate": exit_rate, "links": links}


def arms(**of_b: object) -> dict[str, Any]:
    """An experiment with two arms, of which b has these effects."""
    return {"arms": {"a": {"share": 0.5}, "b": {"share": 0.5, **of_b}}}


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("clock", {"hours": 0}, "hours"),
    ("clock", {"hours": 1.5}, "hours"),
    ("clock", {"hours": 24.0}, "clock"),
    ("clock", {"hours": 10**7}, "clock"),
    ("clock", {"start": "9999-12-31T00:00:00Z"}, "clock"),
    ("clock", {"start": "0001-01-01T05:00"}, "clock"),
    ("traffic.campaigns.s", {**SALE, "channel": "paid_serch"}, "campaigns.s.channel: .*did you mean 'paid_search'"),
    ("traffic", {"campaigns": {"s": {**SALE, "end": SALE["start"]}}}, "end: must be after start"),
    ("traffic", {"campaigns": {"s": {**SALE, "visitors": 0}}}, "greater than 0"),
    ("traffic.campaigns.s", {**SALE, "landing": {"princing": 1.0}}, "traffic.campaigns.s.landing: .*'pricing'"),
    ("traffic", {"campaigns": {"s s": SALE}}, "should match pattern"),
    ("traffic", {"events": {"e": {**BOOM, "factor": 1.0}}}, "greater than 1"),
    ("traffic", {"events": {"e": {**BOOM, "factor": None}}}, "factor: is missing"),
    ("traffic.events.e", {**BOOM, "channels": {"fax": 1.0}}, "events.e.channels: there is no channel 'fax'"),
    ("traffic", {"events": {"e": {**BOOM, "channels": {"direct": 0.5}}}}, "sum to 1"),
    ("traffic.events.e", {**BOOM, "landing": {"fax": 1.0}}, "traffic.events.e.landing: there is no page 'fax'"),
    ("traffic", {"events": {"e": {**OUTAGE, "factor": 2.0}}}, "factor: an outage has none"),
    ("traffic", {"events": {"e": {**OUTAGE, "kind": "strike"}}}, "'launch' or 'outage'"),
    ("traffic", channels(0.5, 0.4), r"shares must sum to 1 \(they sum to 0\.9\)"),
    ("traffic", channels(1.2, -0.2), "less than or equal to 1"),
    ("traffic", {"channels": {}}, "at least 1 item"),
    ("traffic", {"hourly_profile": [1.0] * 23}, "at least 24 items"),
    ("traffic", {"hourly_profile": [0.0] * 24}, "at least one weight must be above 0"),
    ("traffic", {"hourly_profile": [-1.0, *[1.0] * 23]}, "greater than or equal to 0"),
    ("traffic", {"weekday_weights": [1.0] * 8}, "at most 7 items"),
    ("traffic", {"visitors_per_day": -5}, "greater than 0"),
    ("traffic", {"visitors_per_day": float("inf")}, "less than or equal to"),
    ("traffic", {"visitors_per_dya": 5}, "Extra inputs"),
    ("traffic", {"growth_per_week": -1.0}, "greater than -1"),
    ("traffic", {"growth_per_week": float("nan")}, "greater than -1|finite"),
    ("traffic.channels", {"a": {"share": 1.0, "referrer": "techblog.example.org"}}, "should match pattern"),
    ("traffic.channels.a", {"share": 1.0, "landing": {"home": 0.0}}, "at least one weight must be above 0"),
    ("population.countries.XX", {"share": 1, "time_zones": {"UTC": 1}}, "countries.XX: not an ISO 3166-1 alpha-2"),
    ("population.countries.DE", {"share": 1, "time_zones": {"Europe/Berln": 1}}, "'Europe/Berln' is not an IANA time"),
    ("population.countries.DE", {"share": 0.9, "time_zones": {"UTC": 1}}, r"countries: shares must sum to 1 .*0\.9"),
    ("population.countries.DE", {"share": 1, "time_zones": {"UTC": 0.5}}, r"shares must sum to 1 .*0\.5"),
    ("population", {"countries": {}}, "at least 1 item"),
    ("population.devices", {"toaster": 1.0}, "unknown device 'toaster'; known are desktop, mobile, tablet"),
    ("population", {"devices": {"desktop": 0.7}}, "shares must sum to 1"),
    ("population", {"account_rate": 1.1}, "less than or equal to 1"),
    ("population", {"company_email_rate": -0.1}, "greater than or equal to 0"),
    ("population", {"accounts": 0}, "greater than or equal to 1"),
    ("population", {"acounts": 5}, "Extra inputs"),
    ("population", {"company_sizes": {"a": {"share": 0.5}}}, "company_sizes: shares must sum to 1"),
    ("population", {"company_sizes": {}}, "at least 1 item"),
    ("population.company_sizes", {"a": {"share": 1.0, "visitors": 0.0}}, "greater than or equal to 0.000001"),
    ("population", {"industries": {"a": 0.5}}, "shares must sum to 1"),
    ("population.personas.a", {"pages": {"securty": 2.0}}, "personas.a.pages: .*did you mean 'security'"),
    ("population", {"personas": {"a": {"channels": {"emial": 2.0}}}}, "personas.a.channels: .*mean 'email'"),
    ("population.personas", {"a": {"invites": {"b": 0.1}}}, "personas.a.invites: there is no persona 'b'"),
    ("", {"population": {"personas": {"a": {"weight": 0.0}}}}, "greater than or equal to 0.000001"),
    ("population", {"personas": {"a": {"channels": {"email": 0.0}}}}, "channel 'email' has no visitors"),
    ("", {"population": {"personas": {"a": {"pages": {"home": 0.0}}}}}, "greater than or equal to 0.000001"),
    ("tracking", {"ad_blocker_factors": {"campion": 2.0}}, "ad_blocker_factors: .*did you mean 'champion'"),
    ("site.pages", {"a": page(0.5, b=1.0)}, "pages.a.links: there is no page 'b'"),
    ("site.pages", {"a": page(0.009, a=1.0)}, "greater than or equal to 0.01"),
    ("site.pages", {"a": page(1.1, a=1.0)}, "less than or equal to 1"),
    ("site.pages", {"a": page(0.5, a=0.0)}, "at least one weight must be above 0"),
    ("site.pages", {"a": page(0.5, a=-1.0)}, "greater than or equal to 0"),
    ("site.pages", {"a": {**page(0.5, a=1.0), "path": "pricing"}}, "should match pattern"),
    ("site.pages", {"a": {**page(0.5, a=1.0), "stage": "below"}}, "'top', 'middle' or 'bottom'"),
    ("site.pages.a", {**page(0.5, a=1.0), "form": {**FORM, "event": "Demo Requested"}}, "no form"),
    ("site.pages.a", {**page(0.5, a=1.0), "form": {**FORM, "event": "Tea Poured"}}, "Input should"),
    ("site.pages", {}, "at least 1 item"),
    ("visits", {"return_rate": 1.0}, "less than 1"),
    ("visits", {"max_visits": 0}, "greater than or equal to 1"),
    ("visits", {"max_visits": 256}, "less than 256"),
    ("visits", {"gap_hours": 0}, "greater than 0"),
    ("visits", {"dwell_shape": 0.1}, "greater than or equal to 0.2"),
    ("visits", {"return_landing": {"home": 0.0}}, "at least one weight must be above 0"),
    ("visits", {"returnrate": 0.5}, "Extra inputs"),
    ("intent", {"coefficients": {"pricing_page_veiw": 1.0}}, "pricing_page_veiw"),
    ("intent", {"coefficients": {"region_europe:security_page_view": 1.0}}, "under intent.interactions"),
    ("intent", {"interactions": {"security_page_view": 1.0}}, "is not an interaction: name two signals"),
    ("intent.interactions", {"region_europe:security_page": 1.0}, "region_europe:security_page.*security_page"),
    ("intent", {"coefficients": {"pricing_page_view": float("nan")}}, "finite"),
    ("intent", {"coefficients": {"pricing_page_view": "high"}}, "valid number"),
    ("intent", {"target_conversion": 0.0}, "greater than 0"),
    ("intent", {"target_conversion": 1.5}, "less than 1"),
    ("intent", {"target_conversion": 0.1, "intercept": -4.0}, "target_conversion or intercept"),
    ("intent", {"account_sd": -1.0}, "greater than or equal to 0"),
    ("sales", {"response_minutes": 0}, "greater than 0"),
    ("sales", {"slot_minutes": "45"}, "valid number"),
    ("sales", {"slot_minutes": 541.0}, "a slot of 541 minutes does not fit its office hours"),
    ("sales", {"no_show_rate": 1.5}, "less than or equal to 1"),
    ("sales", {"wait_effect_per_day": 0.1}, "less than or equal to 0"),
    ("sales", {"wait_effect_per_day": float("-inf")}, "finite"),
    ("sales", {"headcount": 1}, "Extra inputs"),
    ("sales.teams", {"europe": {}}, "nobody serves north_america, asia_pacific, .*; add a team 'default'"),
    ("sales", {"teams": {"default": {}, "europa": {}}}, "there is no region 'europa'; did you mean 'europe'"),
    ("sales.teams.default", {"time_zone": "Europe/Bonn"}, "not an IANA time zone"),
    ("sales.teams.default", {"opens": "9:00"}, "'9:00' is not a time of day"),
    ("sales.teams.default", {"closes": "24:30"}, "not a time of day"),
    ("sales.teams.default", {"opens": "18:00", "closes": "09:00"}, r"must open \(18:00\) before it closes \(09:00\)"),
    ("sales.teams.default", {"weekdays": []}, "at least 1"),
    ("sales.teams.default", {"weekdays": ["mon"]}, "monday"),
    ("sales.teams.default", {"holidays": ["someday"]}, "date"),
    ("sales.teams.default.sdrs", {"headcount": 0}, "greater than or equal to 1"),
    ("sales.teams.default.sdrs", {"headcount": 2.5}, "integer"),
    ("sales.teams.default.sdrs", {"ramp_weeks": -1}, "greater than or equal to 0"),
    ("sales.teams.default.sdrs", {"headcount": 2, "hires": [{**HIRE, "rep": 3}]}, "there is no rep 3; there are 2"),
    ("sales.teams.default.sdrs", {"headcount": 2, "hires": [HIRE] * 2}, "rep 1 joins twice"),
    ("sales.teams.default.sdrs", {"absences": [ABSENCE]}, r"must not end \(2026-03-03\) before it begins"),
    ("tracking", {"ad_blocker_rate": 1.2}, "less than or equal to 1"),
    ("tracking", {"ad_blocker_rate": {"phone": 0.3}}, "there is no device 'phone'"),
    ("tracking", {"ad_blocker_rate": {"mobile": -0.3}}, "greater than or equal to 0"),
    ("tracking", {"consent_refusal_rate": {"europa": 0.3}}, "did you mean 'europe'"),
    ("tracking", {"late_minutes": 0.0}, "greater than 0"),
    ("tracking", {"late_minutes": float("inf")}, "less than or equal to"),
    ("tracking", {"bots_per_day": -1.0}, "greater than or equal to 0"),
    ("tracking", {"bot_seconds": 0.0005}, "greater than or equal to 0.001"),
    ("tracking", {"bot_pages": 0}, "greater than or equal to 1"),
    ("tracking", {"adblocker_rate": 0.1}, "Extra inputs"),
    ("experiments.e.arms", {"a": {"share": 0.5}, "b": {"share": 0.6}}, r"must sum to 1 \(they sum to 1\.1\)"),
    ("experiments.e", {"arms": {"a": {"share": 1.0}}}, "at least 2 items"),
    ("experiments.e", {"arms": {"a=1": {"share": 0.5}, "b": {"share": 0.5}}}, "should match pattern"),
    ("experiments.e", arms(links={"princing": 2.0}), r"experiments\.e\.arms\.b\.links: .*did you mean 'pricing'"),
    ("experiments.e", arms(exit_rate={"princing": 2.0}), r"arms\.b\.exit_rate: .*did you mean 'pricing'"),
    ("experiments.e", arms(links={"pricing": 0.0}), "greater than 0"),
    ("experiments.e", arms(log_odds=float("nan")), "finite"),
    ("experiments.e", {**arms(), "unit": "account"}, "'visitor'"),
    ("population.personas", {"p5497": {}, "p8055": {}}, r"personas\.p8055: has the same code as 'p5497'"),
    ("experiments", {f"e{i}": arms() for i in range(13)}, "8192 combinations"),
]


@pytest.mark.parametrize(("section", "given", "message"), CASES)
def test_impossible_settings_are_refused(section: str, given: dict[str, Any], message: str):
    """Values out of range, unknown names, shares that do not sum to 1 and unknown keys are errors with the reason."""
    for key in reversed(section.split(".") if section else []):
        given = {key: given}
    with pytest.raises(ValidationError, match=message):
        WorldSettings.model_validate(given)


def test_shares_may_miss_1_by_rounding():
    """Ten tenths and three thirds are whole, though not in floating point."""
    for n in (10, 3):
        assert len(WorldSettings.model_validate({"traffic": channels(*[1 / n] * n)}).traffic.channels) == n
