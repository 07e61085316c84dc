"""A run in a folder, made once for all tests of what is done with recorded runs."""

from pathlib import Path

import pytest

from scenarios.run.folder import run_to_folder
from scenarios.scenario import Scenario


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four hours with many requests, and duplicates, in the folder ``runs/small-seed7`` of a working folder."""
    folder = tmp_path_factory.mktemp("work") / "runs" / "small-seed7"
    changes = {"clock.hours": 4, "traffic.visitors_per_day": 4000, "intent.target_conversion": 0.2}
    run_to_folder(Scenario(name="small").replace(changes | {"tracking.duplicate_rate": 0.05}), folder, analyse=False)
    return folder
