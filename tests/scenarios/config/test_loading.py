"""Claims about scenario files: what is merged over what, and how faults are reported."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from scenarios.errors import ScenarioError
from scenarios.scenario import Scenario


def written(folder: Path, name: str, text: str) -> Path:
    """A file of this text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path | str, *overrides: str) -> list[str]:
    """The lines of the error that loading this scenario ends in; the folder is cut off."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(path, overrides)
    return str(caught.value).replace(f"{Path(path).parent}/", "").splitlines()


def test_every_key_but_the_name_has_a_default(tmp_path: Path) -> None:
    """A file of one line is a scenario; the default seed is the one of the documentation."""
    scenario = Scenario.load(written(tmp_path, "s.yaml", "name: least\n"))
    assert (scenario.name, scenario.seed, scenario.active_agents, scenario.clock.hours) == ("least", 7, "auto", 24)


def test_all_faults_are_reported_together_each_with_its_place(tmp_path: Path) -> None:
    """Six faults of six kinds are six lines, in the order of the file."""
    text = """\
name: faulty
seed: -1
active_agents: al
clock: {hours: many}
traffic:
    visitors_per_dya: 5
    visitors_per_day: -5
visits: 3
"""
    assert faults(written(tmp_path, "s.yaml", text)) == [
        "s.yaml:2:1: seed: must be at least 0 (got -1)",
        "s.yaml:3:1: active_agents: must be 'auto', 'all' or 'interacting' (got \"al\"); did you mean 'all'?",
        's.yaml:4:9: clock.hours: must be a whole number (got "many")',
        "s.yaml:6:5: traffic.visitors_per_dya: unknown key 'visitors_per_dya'; did you mean 'visitors_per_day'?",
        "s.yaml:7:5: traffic.visitors_per_day: must be greater than 0 (got -5)",
        "s.yaml:8:1: visits: must be a mapping (key: value) (got 3)",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("description: x\n", "s.yaml:1:1: name: is missing"),
        ("", "s.yaml:1:1: is empty; a scenario needs at least a name"),
        ("- name: x\n", "s.yaml:1:1: must be a mapping (key: value)"),
        ("name: x\ntrafic: {}\n", "s.yaml:2:1: trafic: unknown key 'trafic'; did you mean 'traffic'?"),
        ("name: x\nclock: {hours: true}\n", "s.yaml:2:9: clock.hours: must be a whole number (got true)"),
        ('name: x\ntraffic: {visitors_per_day: "5"}\n', 'traffic.visitors_per_day: must be a number (got "5")'),
        ("name: x\nintent: {intercept: .nan}\n", "intent.intercept: must be a finite number"),
        ("name: x\nclock: {start: noon}\n", "clock.start: must be a date and time such as 2026-03-03T00:00:00Z"),
        ("name: x\ntraffic: {channels: {direct: {share: 1.5}}}\n", "direct.share: must be at most 1 (got 1.5)"),
        ("name: x\ntraffic: {channels: {direct: {}}}\n", "s.yaml:2:22: traffic.channels.direct.share: is missing"),
        ("name: x\ntraffic: {weekday_weights: [1]}\n", "weekday_weights: must have at least 7 items, not 1"),
        # Where the settings of a claim are invalid themselves, only they are reported.
        ('name: x\nclock: {hours: 0}\nclaims: {a: \'hourly("visits", "max", end=7) > 2\'}\n', "clock.hours: must be"),
        ("name: No Slug\n", "s.yaml:1:1: name: must match the pattern"),
        ("name: x\nanalytics: {segments: [page_gruop]}\n", "did you mean 'page_group'?"),
        # Of a part that is named by `use`, the settings are those of its class.
        (
            "name: x\ncomponents: {c: {use: live_chat, agnts: 2}}\n",
            "s.yaml:2:34: components.c.agnts: unknown key 'agnts'; did you mean 'agents'?",
        ),
        (
            "name: x\nsales: {routing: {use: by_account_size, sennior_executives: 2}}\n",
            "did you mean 'senior_executives'?",
        ),
        (
            "name: x\nsales: {routing: {use: round_robbin}}\n",
            "s.yaml:2:19: sales.routing.use: there is no routing policy 'round_robbin'; did",
        ),
        (
            "name: x\ntraffic: {sources: {post: {use: burst, visitrs: 2.0}}}\n",
            "s.yaml:2:40: traffic.sources.post.visitrs: unknown key 'visitrs'; did you mean 'visitors'?",
        ),
        (
            "name: x\ntraffic: {sources: {post: {use: burst, landing: {princing: 1.0}}}}\n",
            "s.yaml:2:40: traffic.sources.post.landing: there is no page 'princing'; did you mean 'pricing'?",
        ),
        (
            "name: x\ntraffic: {sources: {post: {use: burst, channel: emial}}}\n",
            "s.yaml:2:40: traffic.sources.post.channel: there is no channel 'emial'; did you mean 'email'?",
        ),
        (
            "name: x\nsite: {navigation: {use: toward_page, page: princing}}\n",
            "s.yaml:2:39: site.navigation.page: there is no page 'princing'; did you mean 'pricing'?",
        ),
        (
            "name: x\nsite: {navigation: {use: toward_pages}}\n",
            "s.yaml:2:21: site.navigation.use: there is no navigation model 'toward_pages'; did you mean",
        ),
    ],
)
def test_a_fault_is_one_plain_line(tmp_path: Path, text: str, fault: str) -> None:
    """One fault is one line with what was expected and what was given, also after the way between processes."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(written(tmp_path, "s.yaml", text))
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (again.faults, str(again)) == (caught.value.faults, str(caught.value))


def test_shares_that_do_not_sum_to_one_are_reported_at_the_key_that_holds_them(tmp_path: Path) -> None:
    """Where other shares are inherited, the message names them and says how to remove them."""
    text = "name: b\ntraffic:\n  channels:\n    direct: {share: 0.5}\n    email: {share: 0.4}\n"
    fault = "s.yaml:3:3: traffic.channels: shares must sum to 1 (they sum to 0.9)"
    assert faults(written(tmp_path, "s.yaml", text)) == [fault]
    written(tmp_path, "base.yaml", text.replace("0.4", "0.5"))
    text = "name: s\nextends: base.yaml\ntraffic:\n  channels: {direct: {share: 1.0}}\n"
    fault = "s.yaml:4:3: traffic.channels: shares must sum to 1 (they sum to 1.5)"
    assert faults(written(tmp_path, "s.yaml", text)) == [f"{fault}; inherited: email; null removes an entry"]


def test_a_scenario_changes_what_it_extends_key_by_key(tmp_path: Path) -> None:
    """Mappings are merged, dictionaries and defaults too; lists are replaced; name and description are one's own."""
    text = "name: base\ndescription: old\nseed: 3\nintent: {coefficients: {company_email: 2.0}}\n"
    written(tmp_path, "base.yaml", text)
    text = """\
name: child
extends: base.yaml
intent: {coefficients: {careers_page_view: 0.5}}
traffic: {channels: {email: {landing: {blog: 1.0}}}}
analytics: {segments: [region]}
"""
    base = Scenario.load(tmp_path / "base.yaml")
    child = Scenario.load(written(tmp_path, "child.yaml", text))
    assert (child.name, child.description, child.seed) == ("child", "", 3)
    assert child.intent.coefficients == {"company_email": 2.0, "careers_page_view": 0.5}
    assert child.traffic.channels["email"].landing == base.traffic.channels["email"].landing | {"blog": 1.0}
    assert child.traffic.channels["direct"] == base.traffic.channels["direct"]
    assert child.analytics.segments == ("region",)


@pytest.mark.parametrize(
    ("base", "changed"),
    [("target_conversion: 0.02", "intercept=-3"), ("intercept: -3", "target_conversion=0.02")],
)
def test_of_alternatives_the_later_statement_wins(tmp_path: Path, base: str, changed: str) -> None:
    """Stating the intercept removes an inherited target conversion, or the reverse; null removes nothing."""
    path = written(tmp_path, "base.yaml", f"name: base\nintent: {{{base}}}\n")
    text = f"name: child\nextends: base.yaml\nintent: {{{changed.replace('=', ': ')}}}\n"
    child = Scenario.load(written(tmp_path, "child.yaml", text)).intent
    assert child == Scenario.load(path, [f"intent.{changed}"]).intent
    name, value = changed.split("=")
    inherited = base.split(":", maxsplit=1)[0]
    assert getattr(child, name) == float(value)
    assert getattr(child, inherited) is None
    assert Scenario.load(path, [f"intent.{name}=null"]) == Scenario.load(path)


def test_null_removes_an_entry_of_a_dictionary_and_an_empty_one_all(tmp_path: Path) -> None:
    """Null elsewhere is a value, and an empty section states nothing."""
    text = "name: s\nextends: baseline\nintent: {coefficients: {company_email: null}}\n"
    text += "traffic: {channels: {email: null, partner: null, direct: {share: 0.36, referrer: null}}}\n"
    path = written(tmp_path, "s.yaml", text)
    base, scenario = Scenario.load("baseline"), Scenario.load(path, ["intent.coefficients.device_mobile=null"])
    assert base.traffic.channels.keys() - scenario.traffic.channels.keys() == {"email", "partner"}
    assert base.intent.coefficients.keys() - scenario.intent.coefficients.keys() == {"company_email", "device_mobile"}
    (line,) = faults(path, "intent.coefficients.company_email=null")
    assert line.endswith("intent.coefficients.company_email: must be a number (got null)")
    emptied = Scenario.parse("name: s\nextends: baseline\npopulation: {personas: {}}\ntraffic: {}\n", "s.yaml")
    assert (emptied.population.personas, emptied.traffic) == ({}, base.traffic)


def test_an_inherited_fault_is_reported_in_the_file_that_states_it(tmp_path: Path) -> None:
    """What is wrong in the extended file is located there, what is wrong here is located here."""
    written(tmp_path, "base.yaml", "name: base\nclock: {hours: 0}\n")
    path = written(tmp_path, "s.yaml", "name: s\nextends: base.yaml\nseed: x\n")
    assert faults(path) == [
        "base.yaml:2:9: clock.hours: must be at least 1 (got 0)",
        's.yaml:3:1: seed: must be a whole number (got "x")',
    ]


def test_what_is_extended_must_exist_and_not_lead_back(tmp_path: Path) -> None:
    """A wrong name after `extends` is reported at its line with advice, and a circle with all its files."""
    (line,) = faults(written(tmp_path, "s.yaml", "name: s\nextends: baselin\n"))
    assert line.startswith(
        "s.yaml:2:1: extends: there is no scenario 'baselin' in the library; did you mean 'baseline'?"
    )
    written(tmp_path, "b.yaml", "name: b\nextends: a.yaml\n")
    path = written(tmp_path, "a.yaml", "name: a\nextends: b.yaml\n")
    assert faults(path) == ["b.yaml:2:1: extends: goes round in a circle: a.yaml → b.yaml → a.yaml"]


def test_what_is_no_scenario_file_is_one_message(tmp_path: Path) -> None:
    """After a mistyped name it lists the library's names; a folder and a binary file are one message each."""
    assert faults("baselin")[0].endswith("did you mean 'baseline'? The library has: " + ", ".join(Scenario.library()))
    with pytest.raises(ScenarioError, match=r"^no/such\.yaml: there is no such file\. The library has: "):
        Scenario.load("no/such.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"name: \xff\xfe")
    (tmp_path / "folder.yaml").mkdir()
    assert faults(tmp_path / "binary.yaml") == ["binary.yaml: is not text in UTF-8 (byte 6)"]
    assert faults(tmp_path / "folder.yaml") == ["folder.yaml: cannot be read: Is a directory"]


def test_overrides_are_yaml_and_later_ones_win(tmp_path: Path) -> None:
    """`--set` reads its values as YAML and reaches into defaults, dictionaries and lists; a date is midnight in UTC."""
    path = written(tmp_path, "s.yaml", "name: s\nclock: {start: 2026-03-03}\n")
    assert Scenario.load(path).clock.start.isoformat() == "2026-03-03T00:00:00+00:00"
    overrides = "clock.hours=3 clock.hours=5 clock.start=2026-03-04 traffic.weekday_weights.6=0.9"
    scenario = Scenario.load(path, [*overrides.split(), "intent.coefficients.company_email=1.5"])
    assert (scenario.clock.hours, scenario.clock.start.isoformat()) == (5, "2026-03-04T00:00:00+00:00")
    inherited = Scenario.load(path).intent.coefficients
    assert scenario.intent.coefficients == {**inherited, "company_email": 1.5}
    assert scenario.traffic.weekday_weights[5:] == (0.35, 0.9)


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("traffic.visitors_per_day=-5", "traffic.visitors_per_day: must be greater than 0 (got -5)"),
        ("traffic.visitors_per_dya=5", "traffic.visitors_per_dya: unknown key 'visitors_per_dya'; did you mean"),
        ("clock.hours", "must be of the form path.to.key=value"),
        ("clock..hours=3", "'clock..hours' is not a path"),
        ("clock.hours=[1", "not valid YAML"),
        ("seed.more=1", "seed: is the single value 7"),
        ("traffic.weekday_weights.9=1", "has no '9': it is a list with positions 0 to 6"),
        ("extends=baseline", "extends: can only be set in a file"),
    ],
)
def test_a_fault_in_an_override_is_reported_with_the_override(tmp_path: Path, override: str, fault: str) -> None:
    """The place of the fault is the `--set` itself."""
    (line,) = faults(written(tmp_path, "s.yaml", "name: s\n"), override)
    assert line.startswith(f"--set {override}: ")
    assert fault in line


def test_overrides_may_be_python_values(tmp_path: Path) -> None:
    """A mapping of dotted paths has the effect of `--set`, and so does `replace`; nothing else changes a scenario."""
    path = written(tmp_path, "s.yaml", "name: s\n")
    changed = Scenario.load(path, {"traffic.visitors_per_day": 10, "clock.hours": 2})
    scenario = Scenario.load(path)
    assert scenario.replace({"traffic.visitors_per_day": 10, "clock": changed.clock}) == changed
    assert scenario.replace(seed=0).seed == 0
    assert scenario == Scenario.load(path)
    with pytest.raises(ScenarioError, match="must be greater than 0"):
        scenario.replace({"traffic.visitors_per_day": 0})
    for frozen, name in ((scenario, "seed"), (scenario.clock, "hours")):
        with pytest.raises(ValidationError):
            setattr(frozen, name, 8)


def test_a_scenario_written_down_is_the_same_scenario(tmp_path: Path) -> None:
    """Writing a scenario and reading it gives back the same, with components and hostile descriptions too."""
    scenario = Scenario.load(written(tmp_path, "s.yaml", "name: s\ntraffic: {visitors_per_day: 1e-5}\n"))
    hostile = scenario.replace(description="NO: 12:30 # not a comment\n---\t'\"é\u2028")
    for each in (scenario, hostile, Scenario.load("live-chat")):
        assert Scenario.load(written(tmp_path, "again.yaml", each.to_yaml())) == each


@pytest.mark.slow
@pytest.mark.parametrize("name", Scenario.library())
def test_a_library_scenario_written_down_is_the_same(name: str, tmp_path: Path) -> None:
    """Writing a library scenario and reading it gives back the same."""
    scenario = Scenario.load(name)
    assert Scenario.load(written(tmp_path, "again.yaml", scenario.to_yaml())) == scenario


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('name: s\ndescription: "\\ud83d"\n', "s.yaml:2:1: description: has half of a character (\\ud83d, a lone"),
        (
            'name: s\ndescription: "\\ude00\\ud83d"\n',
            "s.yaml:2:1: description: has half of a character (\\ude00, a lone",
        ),
        ('name: s\nclaims: {x: {description: "a\\udc00"}}\n', "s.yaml:2:14: claims.x.description: has half of a char"),
        ('name: s\npersonas: {"\\ud83d": {}}\n', "s.yaml:2:12: personas.\\ud83d: has half of a character (\\ud83d, a"),
    ],
)
def test_half_a_character_is_found_by_its_place(tmp_path: Path, text: str, fault: str) -> None:
    """A lone surrogate makes one text unreadable, not the file as a whole."""
    assert [line[: len(fault)] for line in faults(written(tmp_path, "s.yaml", text))] == [fault]


def test_two_escapes_of_one_character_are_that_character(tmp_path: Path) -> None:
    """JSON writes characters beyond the first plane as two escapes, and YAML reads JSON."""
    path = written(tmp_path, "s.yaml", 'name: s\ndescription: "\\ud83d\\ude00"\n')
    assert Scenario.load(path).description == "\U0001f600"
    path = written(tmp_path, "s.yaml", 'name: s\n"\\ud83d\\ude00[": 1\n')
    (fault,) = faults(path)
    assert fault.startswith("s.yaml:2:1: \U0001f600[: unknown key")
