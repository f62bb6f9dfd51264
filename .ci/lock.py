"""Write the locks of `requirements/`, with the hashes of every file that may be installed; `make lock` calls it.

`base.txt` is what wqscore needs, `test.txt` what `make test` needs, `dev.txt` what `make lint` needs, and `all.txt`
what CI installs. A package has one version in all of them. torch and the libraries for GPUs that come with it are in
none: TORCH in the Makefile names the build, of which there are several.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: Extras by lock; the first decides on the versions of all.
LOCKS = {"all.txt": ("test", "oracles", "dev"), "base.txt": (), "test.txt": ("test",), "dev.txt": ("dev",)}
#: Installed with torch, and only with it; torchvision is what the examples of backpack-for-pytorch import.
OF_TORCH = re.compile(r"(torch|torchvision|triton|nvidia-[\w-]+|cuda-[\w-]+)==")
HEAD = "# Written by `make lock`: do not edit. docs/contributing.md says what it is for.\n"


def lock(extras: tuple[str, ...], constraints: str) -> str:
    """Resolve some extras to the newest versions that the constraints allow."""
    options = [word for extra in extras for word in ("--extra", extra)]
    found = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--no-config", "--no-header"),
            *("--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--upgrade"),
            *("--prerelease", "disallow"),
            *(*options, "--constraint", "-", "pyproject.toml"),
        ],
        cwd=ROOT,
        input=constraints,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise SystemExit(found.stderr)
    return HEAD + without_torch(found.stdout)


def without_torch(text: str) -> str:
    """A lock without the blocks of torch and of what comes with it."""
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    return "".join(block for block in blocks if not OF_TORCH.match(block))


def versions(text: str) -> list[str]:
    """The versions of a lock, without hashes."""
    return re.findall(r"^[^#\s][^\\\n]*(?= \\)", text, flags=re.MULTILINE)


def main() -> None:
    """Write the locks; the requirement of torch is the one argument."""
    (ROOT / "requirements").mkdir(exist_ok=True)
    constraints = sys.argv[1]
    for name, extras in LOCKS.items():
        found = lock(extras, constraints)
        (ROOT / "requirements" / name).write_text(found, encoding="utf-8")
        constraints += "".join(f"\n{line}" for line in versions(found))


if __name__ == "__main__":
    main()
