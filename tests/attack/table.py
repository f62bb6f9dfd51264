"""Writes the tables of docs/security.md: `python -m tests.attack.table`, with the scanners installed.

They say what is promised of each kind of attack, with how many inputs, and who finds what in the corpus.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from tests.attack.attack import Attack
from tests.attack.corpus import ATTACKS, SOUND, make, of_kind
from tests.attack.promises import OF_CORPUS, OTHERS, Promise
from tests.attack.scanners import SCANNERS, quiet, verdict

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "security.md"
_FUNCTION = re.compile(r"^tests/(?P<file>[^:]+)::(?P<name>\w+)", re.MULTILINE)
#: Kinds that the scanners are not given: a pipe would be opened, and a file of any size be read whole.
_NOT_SCANNED = ("paths, links, pipes and devices", "no end: sizes, depths, bombs")


def page() -> str:
    """The page with its tables up to date."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in (("attacks", attacks_table()), ("scanners", scanners_table())):
        marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        assert marked.search(text), f"no place for {name}"
        text = marked.sub(lambda place, table=table: f"{place[1]}\n{table}\n{place[2]}", text)
    return text


def attacks_table() -> str:
    """A row a kind: how many inputs, what is promised, and the tests that hold it."""
    counted = _collected()
    rows = [[each.kind, f"{len(of_kind(each.kind))}", each.text, links(each)] for each in OF_CORPUS]
    rows += [[each.kind, _inputs(each, counted), each.text, links(each)] for each in OTHERS]
    return _table(["attacks", "inputs", "what is promised", "held by"], rows)


def scanners_table() -> str:
    """A row a kind: how many of its attacks each scanner flags, and how many it does not read."""
    quiet()
    rows = []
    for kind, attacks in groupby((*ATTACKS, *SOUND), key=lambda attack: attack.kind):
        if kind not in _NOT_SCANNED:
            every = list(attacks)
            rows.append([kind, f"{len(every)}", *(_found(name, every) for name in SCANNERS)])
    versions = [f"{name} {version(name)}" for name in ("picklescan", "modelscan", "fickling")]
    return _table(["attacks", "files", "wqscore check refuses", *versions], rows)


def _table(header: list[str], rows: list[list[str]]) -> str:
    """A table of cells that are Markdown already."""
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, ["---"] * len(header), *rows))


def _found(scanner: str, attacks: Iterable[Attack]) -> str:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verdicts = Counter(
            verdict(scanner, make(attack, Path(folder) / str(number))[0]) for number, attack in enumerate(attacks)
        )
    unread = f" ({verdicts['unread']} unread)" if verdicts["unread"] else ""
    return f"{verdicts['flagged']}{unread}"


def _collected() -> Counter[str]:
    """How many inputs each test function is given, as pytest counts them."""
    files = sorted({test.partition("::")[0] for each in OTHERS for test in each.tests})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-m", "", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(f"tests/{file}" for file in files)], cwd=TESTS.parent, capture_output=True, text=True, check=True
    )
    counted: Counter[str] = Counter()
    for found in _FUNCTION.finditer(done.stdout):
        counted.update([found["file"], f"{found['file']}::{found['name']}"])
    return counted


def _inputs(promise: Promise, counted: Counter[str]) -> str:
    assert all(counted[test] for test in promise.tests), f"a test of {promise.kind} is gone"
    drawn = any(_draws(test) for test in promise.tests)
    return f"{sum(counted[test] for test in promise.tests)}" + (" and drawn ones" if drawn else "")


def _draws(test: str) -> bool:
    """Whether hypothesis gives a test, or one of a file, its inputs."""
    file, _, name = test.partition("::")
    text = (TESTS / file).read_text(encoding="utf-8")
    return "@given" in (text if not name else text[: text.index(f"def {name}(")].rpartition("\n\n\n")[2])


def links(promise: Promise) -> str:
    """Links to the test files of a promise."""
    files = dict.fromkeys(test.partition("::")[0] for test in promise.tests)
    return ", ".join(f"[{Path(file).stem}](../tests/{file})" for file in files)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
