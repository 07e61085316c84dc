"""Run folders as others might leave them."""

import json
from pathlib import Path

from scenarios.files.checksums import CHECKSUMS


def without_checksums(folder: Path) -> Path:
    """Turn a run folder into one of a version that wrote no checksums, and return it."""
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["checksums"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / CHECKSUMS).unlink()
    return folder
