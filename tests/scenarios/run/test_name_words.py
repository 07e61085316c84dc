"""Claims about what a mapping proposes for names of events."""

from __future__ import annotations

import pytest

from scenarios.run.name_words import asks_for_demo, guess_event

DEMO, PAPER = "Demo Requested", "White Paper Downloaded"
GUESSES = {
    DEMO: [
        *("Demo Booked", "bookDemo", "BookADemo", "bookdemo", "contact_sales_submitted", "Callback Requested"),
        *("Meeting Booked", "Trial Started", "Quote Requested", "Beratungstermin gebucht", "Terminanfrage"),
    ],
    PAPER: ["Ebook Downloaded", "eBookDownload", "E-Book downloaded", "whitepaper_download", "Case Study Downloaded"],
    "Webinar Registered": ["Webinar Registration", "webinar_signup", "Joined Webinar"],
    "Newsletter Subscribed": ["newsletter_signup", "Newsletter Subscription"],
    None: [
        *("Facebook Clicked", "Bookmark Added", "Recall Viewed", "Leaderboard Opened", "Terminal Opened", "Button"),
        *("Demo Cancelled", "Demo Video Watched", "Demo Form Viewed", "Request Failed", "Demographics Entered"),
        *("White Paper Viewed", "Notebook Created"),
    ],
}


@pytest.mark.parametrize(("name", "event"), [(name, event) for event, names in GUESSES.items() for name in names])
def test_a_name_is_guessed_by_its_words(name: str, event: str | None) -> None:
    """By whole words: a book is in "Facebook"; and not where it comes to nothing, or is only looked at."""
    assert guess_event(name) == event


def test_only_a_request_of_a_demo_is_chosen_as_the_outcome() -> None:
    """Without anybody's correction, so that what is merely about demos, or asks for something else, is not."""
    chosen = ["Demo Booked", "demo_form_submitted", "BookADemo", "Requested a demo"]
    others = ["Demo Video Started", "Demographics Form Submitted", "Callback Requested", "Demo Cancelled", "Demo Page"]
    assert [name for name in (*chosen, *others) if asks_for_demo(name)] == chosen
