"""Claims about the identity of classes: what is another class, and who notices."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

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


@pytest.mark.slow
def test_an_identity_is_the_same_in_every_process():
    """Neither the order of sets nor addresses in memory are part of it."""
    code = (
        "from simulator.settings.class_identity import identity_of\n"
        "from simulator.components.webinar import Webinar\n"
        "print(identity_of(Webinar).code_sha256)"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == identity_of(Webinar).code_sha256


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
