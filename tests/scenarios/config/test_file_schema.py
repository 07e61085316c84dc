"""The JSON Schemas accept and refuse what the loader does, as far as a schema can."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from scenarios import Scenario, ScenarioError, Study, scenario_schema, study_schema

LIBRARY = Path(__file__).parents[3] / "scenarios" / "library"
for schema in (scenario_schema(), study_schema()):
    jsonschema.Draft202012Validator.check_schema(schema)
SCENARIO = jsonschema.Draft202012Validator(scenario_schema())
STUDY = jsonschema.Draft202012Validator(study_schema())


def plain(text: str) -> dict[str, Any]:
    """A file as an editor's schema checker sees it: times are texts."""
    read = YAML(typ="safe", pure=True).load(io.StringIO(text))
    return json.loads(json.dumps(read, default=lambda moment: moment.isoformat()))


def paths(validator: jsonschema.Draft202012Validator, document: Mapping[str, Any]) -> set[str]:
    """Dotted paths of what is wrong; of a choice the path of the branch that comes furthest."""
    found = set()
    for error in validator.iter_errors(document):
        deepest = max([error, *_branches(error)], key=_how_telling)
        path = [str(part) for part in deepest.absolute_path]
        if deepest.validator == "additionalProperties":
            known = deepest.schema["properties"]
            found |= {".".join([*path, key]) for key in deepest.instance if key not in known}
        elif deepest.validator == "required":
            found |= {".".join([*path, key]) for key in deepest.validator_value if key not in deepest.instance}
        else:
            found.add(".".join(path))
    return found


def _how_telling(error: jsonschema.ValidationError) -> tuple[int, bool]:
    # Another branch of the choice is that the section is null, which does not help.
    return len(error.absolute_path), error.validator in {"additionalProperties", "required"}


def _branches(error: jsonschema.ValidationError) -> list[jsonschema.ValidationError]:
    return [inner for each in error.context or () for inner in (each, *_branches(each))]


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.yaml")), ids=lambda path: path.stem)
def test_the_schema_accepts_every_file_of_the_library(path: Path) -> None:
    """As it is written, with its removals and partial sections, and a scenario as it is loaded, too."""
    is_study = path.parent.name == "studies"
    assert paths(STUDY if is_study else SCENARIO, plain(path.read_text(encoding="utf-8"))) == set()
    if not is_study:
        assert paths(SCENARIO, json.loads(Scenario.load(path).model_dump_json())) == set()


@pytest.mark.parametrize(
    "text",
    [
        "extends: baseline\nsite: {pages: {home: {links: {pricing: 0.9}}}}",
        "extends: baseline\ntraffic: {channels: {email: {campaign: {name: may}}}}",
        "extends: baseline\nintent: {coefficients: {device_mobile: null}}",
        "extends: baseline\nclaims: null\ntracking:",
        'claims: {many: "counts.visits > 1"}',
        "components: {chat: {use: live_chat, agents: 4}}\ndecision: {use: probit}\nprobes: {i: {use: queue_length}}",
        "extends: baseline\ncomponents: {mail: {use: nurture_email, campaign: {name: may, source: n, medium: e}}}",
    ],
)
def test_the_schema_accepts_what_changes_a_part(text: str) -> None:
    """A file that extends another may leave out what stands there, as the loader lets it."""
    whole = f"name: s\n{text}\n"
    Scenario.parse(whole)
    assert paths(SCENARIO, plain(whole)) == set()
    assert paths(SCENARIO, plain(text)) == {"name"}  # the one key without a default


@pytest.mark.parametrize(
    "text",
    [
        "trafic: {visitors_per_day: 5.0}",
        "traffic: {visitors_per_day: -5.0}",
        "traffic: {visitors_per_day: many}",
        "traffic: {hourly_profile: [1.0, 2.0]}",
        "clock: {hours: 0}",
        "clock: {hours: 24, minutes: 3}",
        "seed: -1",
        "active_agents: never",
        "tracking: {late_rate: 1.5}",
        "tracking: {ad_blocker_rate: {desktop: 2.0}}",
        "analytics: {moving_average_hours: 999}",
        "extends: baseline\nsite: {pages: {home: {exit_rate: 7.0}}}",
        "extends: baseline\nintent: {coefficients: {device_mobile: 99.0}}",
        "seed: x\nclock: {hours: x}",
        "claims: {many: 5}",
        "claims: [counts.visits > 1]",
        "components: {chat: {use: live_chat, agents: 0}}",
        "components: {chat: {use: live_chat, efect: 1.0}}",
        "components: {chat: live_chat}",
        "decision: {use: probit, scale: many}",
        "traffic: {sources: {post: {use: burst, visitors: 0.0}}}",
        "site: {navigation: {use: toward_page, pul: 2.0}}",
        "probes: {inbox: {use: queue_length, every: 5.0}}",
        "scenario: baseline\nreplications: 0",
        "scenario: baseline\nseed: -1",
        "scenario: baseline\nrepliations: 5",
    ],
)
def test_the_schema_names_the_faults_that_the_loader_names(text: str) -> None:
    """Both refuse a bad scenario or study, at the same paths."""
    is_study = text.startswith("scenario:")
    whole = f"name: s\n{text}\n" + ("responses: {n: counts.visitors}\n" if is_study else "")
    with pytest.raises(ScenarioError) as caught:
        (Study if is_study else Scenario).parse(whole)
    assert paths(STUDY if is_study else SCENARIO, plain(whole)) == {fault.path for fault in caught.value.faults}


def test_the_schema_knows_the_settings_of_registered_classes_and_allows_others() -> None:
    """An editor completes names and settings of what is built in, and leaves a class of one's own alone."""
    conditions = scenario_schema()["$defs"]["ComponentSettings"]["allOf"]
    by_name = {each["then"]["title"]: each["then"] for each in conditions}
    assert "Number of agents." in by_name["live_chat"]["description"]
    assert by_name["live_chat"]["properties"]["agents"]["minimum"] == 1
    assert paths(SCENARIO, plain("name: s\ncomponents: {own: {use: 'my.module:Own', anything: 3}}")) == set()
    assert paths(SCENARIO, plain("name: s\ncomponents: {chat: {agents: 3}, mail: null}")) == set()
    assert paths(SCENARIO, plain("name: s\ncomponents: {own: {use: no_such}}")) == {"components.own.use"}
