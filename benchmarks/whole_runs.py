"""Whole processes: `score` of a small folder, and `rank` of one model and of five with a report, cold and warm.

Each run is a process of its own; a cold one has a new store, a warm one finds everything stored. Another version
takes part in alternation where its source tree is named. Every tree is compiled to bytecode first, and the first run
of each is left out: it may compile kernels and put Vega's scripts together. Processor seconds hold on a busy machine
too; the targets are wall seconds on one that does nothing else. Last, whether a warm report imports what takes long.
Usage: python -m benchmarks.whole_runs [TREE] [runs]
"""

from __future__ import annotations

import compileall
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path
from statistics import median

from benchmarks.machine import machine_line
from benchmarks.processes import Usage, run

RUNS = 7
ROOT = Path(__file__).parent.parent
MODELS = ROOT / "checkpoints"
_NAMES = ("all-MiniLM-L6-v2", "rxnfp-bert_pretrained", "rxnfp-bert_ft", "rxnfp-bert_ft_10k_25s", "rxnmapper-albert")
DEMO = [str(MODELS / name) for name in _NAMES]
PROGRAM = "import sys; sys.argv[0] = 'wqscore'; from wqscore.__main__ import main; main()"
#: Each command with its arguments, whether its store is kept from run to run, and its wall seconds at most.
COMMANDS: dict[str, tuple[list[str], bool, float | None]] = {
    "score, a small folder": (["score", str(MODELS / "fracast"), "--no-store"], False, 0.8),
    "rank one model, warm": (["rank", DEMO[0]], True, 1.0),
    "rank one model, cold": (["rank", DEMO[0]], False, None),
    "rank five models, warm": (["rank", *DEMO], True, 1.2),
    "rank five models, cold": (["rank", *DEMO], False, 4.0),
}
#: What takes long to import or to start: none of it is needed where everything is stored.
HEAVY = ("numba", "pandas", "altair", "vl_convert", "scipy")
_TELL = (
    f"import atexit, sys; atexit.register(lambda: print(*sorted({{*{HEAVY}}} & {{*sys.modules}}), file=sys.stderr))"
)


def measure(trees: list[Path], runs: int, folder: Path) -> dict[tuple[str, Path], list[Usage]]:
    """What each command took with each source tree, in turn, without the first run."""
    taken: dict[tuple[str, Path], list[Usage]] = {(name, tree): [] for name in COMMANDS for tree in trees}
    numbers = count()
    for _ in range(runs + 1):
        for (name, tree), usages in taken.items():
            usages.append(run(_command(name, tree, folder, next(numbers))))
    return {key: usages[1:] for key, usages in taken.items()}


def _command(name: str, tree: Path, folder: Path, number: int) -> list[str]:
    arguments, warm, _ = COMMANDS[name]
    if arguments[0] == "rank":
        store = f"{name} {tree.parent.name} {tree.name}" if warm else str(number)
        arguments = [
            *arguments,
            "--store",
            str(folder / f"{store}.sqlite"),
            "--out",
            str(folder / f"report {number}"),
        ]
    return ["env", f"PYTHONPATH={tree}", sys.executable, "-P", "-c", PROGRAM, *arguments, "--quiet"]


def imported(tree: Path, folder: Path) -> str:
    """Which of what takes long a warm ranking with a report imports."""
    command = _command("rank one model, warm", tree, folder, -1)
    command[command.index(PROGRAM)] = f"{_TELL}; {PROGRAM}"
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1] or "nothing"


def main() -> None:
    """Print the tables."""
    trees = [ROOT, *(Path(each).absolute() for each in sys.argv[1:] if not each.isdigit())]
    runs = next((int(each) for each in sys.argv[1:] if each.isdigit()), RUNS)
    for tree in trees:
        compileall.compile_dir(tree / "wqscore", quiet=1)
    print(machine_line(["wqscore", "numpy", "numba", "altair", "vl-convert-python"]))
    print(f"{'median of ' + str(runs):>24} {'of CPU':>7} {'seconds':>8} {'shortest':>8} {'peak MB':>8}  source tree")
    with tempfile.TemporaryDirectory() as name:
        for (command, tree), usages in measure(trees, runs, Path(name)).items():
            cpu, wall, peak = (median(getattr(each, key) for each in usages) for key in ("cpu", "wall", "peak_mb"))
            target, least = COMMANDS[command][2], min(each.wall for each in usages)
            missed = " misses" if target and tree == ROOT and least > target else ""
            print(f"{command:>24} {cpu:>7.2f} {wall:>8.2f} {least:>8.2f} {peak:>8.0f}  {tree.name}{missed}")
        for tree in trees:
            print(f"a warm report imports: {imported(tree, Path(name))}  {tree.name}")


if __name__ == "__main__":
    main()
