"""Claims about the identity of classes: what is another class, and who notices."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from own_components import GREETER, own_module

from simulator.components.live_chat import LiveChat
from simulator.components.webinar import Webinar
from simulator.errors import ComponentError
from simulator.settings.class_identity import identities_of, identity_of, require_importable, require_same
from simulator.settings.plugins import COMPONENTS, allow_plugins, class_named
from simulator.settings.world import WorldSettings


def test_an_identity_holds_class_package_version_and_source():
    """The sha256 is that of the module's file, as ``sha256sum`` prints it."""
    found = identity_of(LiveChat)
    file = Path(sys.modules[LiveChat.__module__].__file__ or "")
    assert found.path == "simulator.components.live_chat:LiveChat"
    assert (found.package, bool(found.version)) == ("funnelsim", True)
    assert found.source_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert found != identity_of(Webinar)


HELPERS = """
LIMIT = 3

def twice(x):
    return 2 * x + LIMIT
"""

BASE = """
import re
from dataclasses import dataclass
from enum import Enum
from functools import cache, wraps
from pathlib import Path

import numpy as np
import own_helpers
import funnelsim as fs
from own_helpers import twice

RATE = 0.2
FILE = str(Path(__file__).parent / "data.csv")
WORDS = {"a": {"x", "y", "z"}, "b": [re.compile("x|y"), object(), print]}
HANDLERS = {str: len, int: twice}

@dataclass(frozen=True)
class Setup:
    weights: np.ndarray
    settings: fs.Settings

class Mood(Enum):
    GOOD = 1

SETUP = [Setup(np.array([1.0, 2.0]), fs.CampaignSettings(source="crm", medium="email", name="n")), Mood.GOOD]

@cache
def rate():
    return RATE

def scaled(k):
    def decorate(method):
        @wraps(method)
        def call(self, *arguments):
            return k * method(self, *arguments)
        return call
    return decorate

class Base(fs.Component):
    K = [1, {"deep": (2, {3})}]

    @scaled(2.0)
    def effect(self, visitor, words=WORDS):
        return rate() + own_helpers.LIMIT + (visitor in {"p", "q", "r"}) + len(FILE) + len(SETUP)

    def touches(self, plan, *, least=0.1):
        return [HANDLERS[str](each) for each in plan.uniforms("t") < least]
"""
LEAF = "from own_base import Base\n\nclass Leaf(Base):\n    pass\n"
OWN = {"own_helpers": HELPERS, "own_base": BASE, "own_leaf": LEAF}


def own_leaf(folder: Path, monkeypatch: pytest.MonkeyPatch, **texts: str) -> Any:
    """A class whose base is in another module, which uses a third one."""
    for name, text in {**OWN, **texts}.items():
        own_module(folder / f"{name}.py", text, monkeypatch)
    monkeypatch.syspath_prepend(folder)
    allow_plugins("own_leaf")
    return class_named("own_leaf:Leaf", COMPONENTS)


@pytest.mark.slow
def test_an_identity_is_the_same_in_every_process_and_folder(tmp_path: Path):
    """Neither the order of hashing nor addresses in memory nor the place of the files are part of it."""
    code = (
        "from simulator.components.webinar import Webinar\n"
        "from simulator.settings.class_identity import identity_of\n"
        "from own_leaf import Leaf\n"
        "print(identity_of(Webinar), identity_of(Leaf))"
    )
    printed = set()
    for seed in ("1", "2", "3"):
        folder = tmp_path / seed
        folder.mkdir()
        for name, text in OWN.items():
            (folder / f"{name}.py").write_text(text)
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(folder), str(Path.cwd())])}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=folder, capture_output=True, text=True, check=True
        )
        printed.add(done.stdout)
    assert len(printed) == 1
    assert str(identity_of(Webinar)) in printed.pop()


@pytest.mark.parametrize(
    ("module", "path", "value"),
    [
        ("own_base", "RATE", 0.9),
        ("own_base", "HANDLERS", {str: len, int: abs}),
        ("own_base", "SETUP", []),
        ("own_helpers", "LIMIT", 4),
        ("own_helpers", "twice.__code__", (lambda x: 3 * x).__code__),
        ("own_base", "Base.K", [1, {"deep": (2, {4})}]),
        ("own_base", "Base.touches.__kwdefaults__", {"least": 0.2}),
        ("own_base", "Base.effect.__wrapped__.__defaults__", ({},)),
        ("own_base", "Base.effect", lambda _self, _visitor: 1.0),
    ],
)
def test_whatever_a_method_depends_on_is_part_of_the_identity(
    module: str, path: str, value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Constants of its module and of others, functions, defaults, attributes: also where a base class has them."""
    leaf = own_leaf(tmp_path, monkeypatch)
    there = identity_of(leaf)
    assert identity_of(leaf) == there
    *inner, name = path.split(".")
    monkeypatch.setattr(reduce(getattr, inner, sys.modules[module]), name, value)
    with pytest.raises(ComponentError, match="another Leaf"):
        require_same({"components.leaf": there})


def test_values_in_closures_are_part_of_the_identity(monkeypatch: pytest.MonkeyPatch):
    """A method made by a function has the same code for all values that the function is given."""

    def made(k: float) -> Any:
        return lambda _self, _visitor: k

    found = set()
    for k in (0.1, 0.2, 0.1):
        monkeypatch.setattr(LiveChat, "effect", made(k))
        found.add(identity_of(LiveChat))
    assert len(found) == 2


@pytest.mark.parametrize(("module", "old", "new"), [("own_base", "re.comp", "re . comp"), ("own_helpers", "3", "4")])
def test_the_files_of_base_classes_and_helpers_count(
    module: str, old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A study that was interrupted is not resumed with another base class, even if its file only looks different."""
    there = identity_of(own_leaf(tmp_path, monkeypatch))
    for name in OWN:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "other").mkdir()
    here = identity_of(own_leaf(tmp_path / "other", monkeypatch, **{module: OWN[module].replace(old, new)}))
    assert here.source_sha256 == there.source_sha256
    assert here.code_sha256 != there.code_sha256


@pytest.mark.parametrize("patch", [{"effect": lambda _self, _visitor: 0.1}, {"events": ("Other",)}])
def test_a_class_that_is_changed_while_running_is_another_class(
    patch: dict[str, object], monkeypatch: pytest.MonkeyPatch
):
    """A replaced method or attribute shows, although the file is the same; a worker without it refuses the task."""
    there = identity_of(LiveChat)
    for name, value in patch.items():
        monkeypatch.setattr(LiveChat, name, value)
    assert identity_of(LiveChat).source_sha256 == there.source_sha256
    assert identity_of(LiveChat) != there
    with pytest.raises(ComponentError, match=r"components\.chat: this worker has another LiveChat.*same files"):
        require_same({"components.chat": there})


def test_a_worker_needs_the_same_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The same class of another file, or none at all, is refused; the place in the scenario is named."""
    allow_plugins(own_module(tmp_path / "own_worker.py", GREETER, monkeypatch))
    found = identity_of(class_named("own_worker:Greeter", COMPONENTS))
    require_same({"components.g": found})
    with pytest.raises(ComponentError, match="another Greeter"):
        require_same({"components.g": replace(found, source_sha256="0" * 64)})
    with pytest.raises(ComponentError, match=r"components\.g: this worker has no Nobody of own_worker"):
        require_same({"components.g": replace(found, path="own_worker:Nobody")})


def test_classes_of_a_notebook_stay_where_they_are():
    """Workers import by name, and nobody can import ``__main__`` of another process."""
    for path in ("__main__:Chat", "module:made.<locals>.Chat"):
        with pytest.raises(ComponentError, match="put it into a module"):
            require_importable({"components.chat": replace(identity_of(LiveChat), path=path)})
    require_importable({"components.chat": identity_of(LiveChat)})


def test_a_world_names_its_classes_by_their_places():
    """Decision model, components and probes; a world without any has none."""
    parts = {"decision": {"use": "probit"}, "components": {"a": {"use": "webinar"}}, "probes": {}}
    world = WorldSettings.model_validate(parts)
    assert list(identities_of(world)) == ["decision", "components.a"]
    assert identities_of(WorldSettings()) == {}
