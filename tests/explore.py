"""Property tests on examples that nobody has seen, again and again: python -m tests.explore [--minutes 60]

It ends at the first failure, whose smallest example belongs into the test as an `@example`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

_PASS = [
    *(sys.executable, "-m", "pytest", "-m", "hypothesis and not slow", "--hypothesis-profile", "explore"),
    *("--numprocesses", "auto", "--dist", "worksteal", "--timeout", "3600"),
]


def main() -> int:
    """Start passes over all property tests until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="for how long passes are started")
    end = time.monotonic() + 60 * parser.parse_args().minutes
    while time.monotonic() < end:
        if code := subprocess.run(_PASS, check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
