"""E-mails to visitors who left their address, some of whom come back."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import simpy

from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.settings.base import NonNegative, Positive, Probability, Settings
from simulator.settings.site import FormPageName, PageName
from simulator.settings.traffic import CampaignSettings


class NurtureEmail(Component):
    """Visitors who submit a form get an e-mail later; some follow its link and make a visit that they had not planned.

    Each visitor gets one e-mail, and none after a demo request. Who follows the link while on the site makes the visit
    after the one under way.
    """

    class Settings(Component.Settings):
        """Settings of the e-mails.

        Attributes:
            page: Page whose form gives the address.
            delay_hours: Time from the form to the e-mail.
            click_rate: Probability that the reader follows the link.
            read_hours: Mean time from the e-mail to the click.
            landing: Page to which the link leads.
            campaign: UTM parameters of the link.
        """

        page: FormPageName = "white_paper"
        delay_hours: NonNegative = 24.0
        click_rate: Probability = 0.3
        read_hours: Positive = 4.0
        landing: PageName = "product"
        campaign: CampaignSettings = CampaignSettings(source="newsletter", medium="email", name="nurture")

    settings: Settings

    def start(self) -> None:
        """Nobody has clicked."""
        self.n_clicks = 0

    def touches(self, plan: Plan) -> Bools:
        """Visitors who leave their address and will follow the link."""
        # The others get an e-mail too, but it changes nothing that anybody could see.
        return plan.submits(self.settings.page) & (plan.uniforms("clicks") < self.settings.click_rate)

    def campaigns(self) -> Mapping[str, CampaignSettings]:
        """The e-mail."""
        return {self.name: self.settings.campaign}

    def on_submit(self, visitor: Visitor, page: Page) -> None:
        """Send one e-mail to each address."""
        if page.name == self.settings.page and self.name not in visitor.state:
            visitor.state[self.name] = "mailed"
            self.env.process(self._send(visitor))

    def _send(self, visitor: Visitor) -> Generator[simpy.Event, object, None]:
        yield self.env.timeout(hours=self.settings.delay_hours)
        # Twice: a request may come before the e-mail is sent, or before it is read.
        if visitor.has_requested:
            return
        yield self.env.timeout(hours=self.rng(visitor, "read").exponential(self.settings.read_hours))
        if not visitor.has_requested:
            self.n_clicks += 1
            visitor.come_back(self.now_ms, self.settings.landing, self.name)

    def measures(self) -> Mapping[str, float]:
        """Clicks on the link so far."""
        return {"clicks": self.n_clicks}
