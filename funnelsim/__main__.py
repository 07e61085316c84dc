"""``python -m funnelsim`` is the command line too."""

from __future__ import annotations

from scenarios.cli.app import main

main()
