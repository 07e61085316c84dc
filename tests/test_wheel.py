"""The wheel is complete: it holds every file of the packages, and works where nothing else is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PACKAGES = ("analytics", "funnelsim", "scenarios", "simulator")


def output_of(*command: str | Path, cwd: Path | None = None) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pip(python: str | Path, *arguments: str | Path) -> None:
    """Call pip of an interpreter."""
    output_of(python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources: a build leaves files beside them, which would enter the next one."""
    folder = tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / "source" / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    pip(sys.executable, "wheel", folder / "source", "--no-deps", "--wheel-dir", folder)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    """Modules, stubs, type markers, the YAML files of the library and templates are in it, and the licence."""
    names = set(zipfile.ZipFile(wheel).namelist())
    metadata = f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info"
    sources = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {name for name in names if not name.startswith(metadata)} == sources
    assert f"{metadata}/licenses/LICENSE" in names
    assert {f"{package}/py.typed" for package in PACKAGES} <= sources
    assert {f"{path.parent.relative_to(ROOT)}/__init__.pyi" for path in ROOT.glob("*/*/__init__.pyi")} <= sources
    assert {"scenarios/library/baseline.yaml", "scenarios/library/studies/coverage.yaml"} <= sources


def test_the_readme_lists_the_packages_that_the_wheel_installs(wheel: Path) -> None:
    """The top-level names of the wheel are those that the README warns of."""
    with zipfile.ZipFile(wheel) as archive:
        (listed,) = [name for name in archive.namelist() if name.endswith("top_level.txt")]
        assert tuple(sorted(archive.read(listed).decode().split())) == PACKAGES
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"`{package}`" in readme for package in PACKAGES)


def test_the_installed_wheel_runs_the_baseline_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """Its declared dependencies suffice, the command is installed, and the library and the report come with it."""
    venv.create(tmp_path / "environment", with_pip=True)
    binaries = tmp_path / "environment" / "bin"
    pip(binaries / "python", "install", "--constraint", ROOT / "constraints.txt", wheel)
    empty = tmp_path / "empty"
    empty.mkdir()
    output_of(binaries / "funnelsim", "run", "baseline", "--set", "traffic.visitors_per_day=3000", cwd=empty)
    assert (empty / "runs/baseline-seed7/report.html").stat().st_size > 10_000
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    code = "import funnelsim as fs; print(fs.__version__, fs.__file__)"
    shown, place = output_of(binaries / "python", "-c", code, cwd=empty).split()
    assert shown == version
    assert Path(place).is_relative_to(tmp_path / "environment")
