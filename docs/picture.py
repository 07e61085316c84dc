"""Takes the picture of a report that the README shows: ``python docs/picture.py`` (needs Chromium)."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import funnelsim as fs

PICTURE = Path(__file__).parent / "images" / "report.png"


def main() -> None:
    """Run the baseline and take a screenshot of the top of its report."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        fs.Scenario.load("baseline").run(seed=7).save(run, events="none")
        page = (run / "report.html").as_uri()
        flags = [
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            "--disable-gpu",
            f"--user-data-dir={folder}/browser",
        ]
        shot = [f"--screenshot={PICTURE}", "--window-size=1100,1250", page]
        subprocess.run(["chromium", *flags, *shot], check=True, timeout=120)  # noqa: S603, S607 - our own page


if __name__ == "__main__":
    main()
