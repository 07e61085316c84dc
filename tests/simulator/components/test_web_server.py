"""Claims about the web server."""

from collections.abc import Generator
from itertools import accumulate
from typing import Any

from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.components.probes import ComponentProbe
from simulator.components.web_server import WebServer
from tests.helpers.component_runs import assert_truth_is_what_was_seen, run_with


class Recorded(WebServer):
    """A server that notes when each page was asked for, how long it took to make, and when it was there."""

    def start(self) -> None:
        """Nothing is noted."""
        super().start()
        self.pages: list[list[int]] = []

    def rng(self, visitor: Visitor, name: str) -> Any:
        """Note the service time that is drawn."""
        server, drawn = self, super().rng(visitor, name)

        class Noted:
            """Random numbers that are noted."""

            def exponential(self, mean: float) -> float:
                """Draw and note."""
                seconds: float = drawn.exponential(mean)
                visitor.state["page"].append(round(1000 * seconds))
                return seconds

        assert server.name == "server"
        return Noted()

    def before_view(self, visitor: Visitor, page: Page) -> Generator[Any, object, None]:
        """Note the times."""
        visitor.state["page"] = noted = [self.now_ms]
        self.pages.append(noted)
        yield from super().before_view(visitor, page)
        noted.append(self.now_ms)


def test_one_process_is_lindleys_recursion() -> None:
    """With one process and patient visitors, each page is ready at max(asked, last ready) + service, to the ms."""
    server = Recorded("server", capacity=1, mean_seconds=6.0, patience_seconds=1e6)
    model = run_with(server, traffic={"visitors_per_day": 2000.0})
    pages = [page for page in model.components["server"].pages if len(page) == 3]  # type: ignore[attr-defined]
    ready = list(accumulate(pages, lambda last, page: max(last, page[0]) + page[1], initial=0))[1:]
    assert len(pages) > 3000
    assert [page[2] for page in pages] == ready
    assert max(done - asked - made for (asked, made, done) in pages) > 60_000, "the queue matters"


def test_a_slow_server_loses_page_views_and_requests() -> None:
    """The slower the server, the fewer pages are viewed in a visit, and the fewer demos are requested."""
    slow, slower = (
        run_with(WebServer("server", capacity=1, mean_seconds=seconds, patience_seconds=5.0)).outcome
        for seconds in (0.1, 20.0)
    )
    assert slower.visits["n_page_views"].mean() < 0.8 * slow.visits["n_page_views"].mean()
    assert slower.counts["demo_requests"] < 0.8 * slow.counts["demo_requests"]


def test_the_server_makes_no_more_pages_than_it_can() -> None:
    """At any time it makes at most ``capacity`` pages, and visitors wait only when it makes as many."""
    probe = ComponentProbe("load", name="server", every_minutes=1.0)
    model = run_with(WebServer("server", capacity=2, mean_seconds=15.0), probes=(probe,))
    load = model.outcome.probes["load"].pivot("measure", index="time", values="value")
    assert load["in_progress"].max() == 2
    assert load.filter(load["waiting"] > 0)["in_progress"].min() == 2
    assert load["waiting"].max() > 0


def test_an_overloaded_server_tears_no_visit_in_two() -> None:
    """However patient visitors are, nobody waits for so long that analysts take the visit for over."""
    model = run_with(WebServer("server", capacity=1, mean_seconds=60.0, patience_seconds=1e6))
    assert_truth_is_what_was_seen(model)
    assert model.components["server"].measures()["gave_up"] > 0
