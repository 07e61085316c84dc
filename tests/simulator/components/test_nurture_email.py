"""Claims about nurture e-mails."""

import polars as pl

from simulator.components.nurture_email import NurtureEmail
from tests.helpers.component_runs import assert_truth_is_what_was_seen, requesters, run_with, tracked


def test_the_visits_it_brings_carry_its_parameters() -> None:
    """As many visits start on the landing page by the e-mail's link as there are clicks, each long enough after."""
    mail = NurtureEmail("mail", delay_hours=3.0, click_rate=1.0, read_hours=0.5, landing="customers")
    model = run_with(mail)
    by_mail = model.events.filter(pl.col("context_campaign_name") == "nurture")
    assert set(by_mail["context_page_path"]) == {"/customers/northwind"}
    # A visitor who clicks just before the end, or while on the site, may not have come before the end.
    clicks = model.components["mail"].measures()["clicks"]
    assert 0.9 * clicks <= by_mail.height <= clicks
    assert by_mail["anonymous_id"].n_unique() == by_mail.height
    forms = tracked(model, "White Paper Downloaded").group_by("anonymous_id").agg(pl.col("timestamp").min())
    waits = by_mail.join(forms, on="anonymous_id", suffix="_form")
    assert waits.height > 0.9 * by_mail.height, "the others filled in the form on their second device"
    assert (waits["timestamp"] - waits["timestamp_form"]).min().total_seconds() > 3 * 3600
    assert_truth_is_what_was_seen(model)


def test_whoever_has_requested_a_demo_gets_no_e_mail() -> None:
    """Where everybody requests a demo at once, and keeps visiting, nobody follows a link."""
    settings = {"intent": {"intercept": 50.0}, "visits": {"after_request_rate": 1.0}}
    model = run_with(NurtureEmail("mail", delay_hours=1.0, click_rate=1.0), **settings)
    assert len(requesters(model)) > 100
    assert model.components["mail"].measures()["clicks"] == 0


def test_nobody_clicks_if_nobody_would() -> None:
    """With a click rate of 0, the world is the one without e-mails."""
    assert run_with(NurtureEmail("mail", click_rate=0.0)).events.equals(run_with().events)
