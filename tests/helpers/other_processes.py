"""Code run by another process."""

import os
import subprocess
import sys


def printed_by(code: str, *arguments: object, **environment: str) -> str:
    """What an interpreter of its own prints when it runs some code, without the blanks around it."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})
    return done.stdout.strip()
