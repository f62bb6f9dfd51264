"""Train the zoo, score its kept weights again, collect its table, or train ten of its networks afresh and compare.

Usage: python -m benchmarks.zoo train|rescore|collect|sample [--out DIR] [--workers N]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.zoo.plan import plan
from benchmarks.zoo.workers import train_all

HERE = Path(__file__).parent


def main() -> int:
    """Run a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo")
    parser.add_argument("command", choices=("train", "rescore", "collect", "sample"))
    parser.add_argument("--out", type=Path, default=Path("checkpoints/zoo"), help="rows, weights and wheels")
    parser.add_argument("--workers", type=int, default=2, help="processes that train, a thread each")
    arguments = parser.parse_args()
    wheels = arguments.out / "wheels"
    if arguments.command == "train":
        return 1 if train_all(plan(), arguments.out, wheels, arguments.workers) else 0
    if arguments.command == "rescore":
        from benchmarks.zoo.rescore import rescore_all

        rescore_all(arguments.out, wheels, arguments.workers)
        return 0
    if arguments.command == "collect":
        from benchmarks.zoo.collect import collect

        return collect(arguments.out, wheels, HERE)
    from benchmarks.zoo.sample import sample

    return sample(wheels, HERE)


if __name__ == "__main__":
    sys.exit(main())
