"""Claims about settings of components that name a page."""

import pytest
from pydantic import ValidationError

from simulator.settings.world import WorldSettings


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ({"use": "live_chat", "page": "prcing"}, r"components.one.page: there is no page 'prcing'; did you mean 'pricing'"),
        ({"use": "nurture_email", "landing": "prcing"}, r"components.one.landing: there is no page 'prcing'"),
        ({"use": "webinar", "page": "pricing"}, r"components.one.page: the page 'pricing' has no form; pages with a form: "),
    ],
)
def test_a_page_that_does_not_exist_or_has_no_form_is_refused(component: dict[str, str], message: str) -> None:
    """Before the run, with the path of the setting."""
    with pytest.raises(ValidationError, match=message):
        WorldSettings.model_validate({"components": {"one": component}})
