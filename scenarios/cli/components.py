"""The command check-component: whether the components of a scenario keep the rules."""

from __future__ import annotations

from scenarios.cli.options import JsonOutput, Overrides, ScenarioName, Seed
from scenarios.cli.output import Output
from scenarios.cli.tables import Parts, alert, page, table
from scenarios.component_check import ComponentCheck, check_component as check
from scenarios.files.plain_data import to_json
from scenarios.scenario import Scenario


def check_component(
    scenario: ScenarioName, seed: Seed = None, set_: Overrides = None, *, json: JsonOutput = False
) -> Output:
    """Check that the components of a scenario keep the rules."""
    found = check(Scenario.load(scenario, set_ or ()), seed=seed)
    status = 0 if found.passed else 1
    if json:
        counts = {"visitors": found.n_visitors, "on_the_clock": found.n_awake}
        data = {"scenario": found.scenario, "passed": found.passed, **counts, "findings": found.table.to_dicts()}
        return Output(to_json(data), status=status)
    return Output(_text(found), is_summary=found.passed, status=status)


@page
def _text(found: ComponentCheck) -> Parts:
    """Show what holds, and explain what does not.

    Args:
        found: The result.
    """
    yield table([(each.claim, "yes" if each.holds else "NO") for each in found.findings], (found.scenario, "holds"))
    yield ""
    yield f"{found.n_awake:,} of {found.n_visitors:,} visitors were on the clock; in the other run, all of them"
    for each in found.findings:
        if not each.holds:
            yield alert(f"not true that {each.claim}: {each.difference}")
    for reason in found.reasons:
        yield f"usual reason: {reason}"
