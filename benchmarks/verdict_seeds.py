"""Do verdicts depend on the seed? Score the demo's models with ten seeds, and print a Markdown table.

Eigenvalues are kept in a store of its own for the run, so that each seed costs only what is random.
"""

import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import wqscore

SEEDS = range(10)
MODELS = ("all-MiniLM-L6-v2", "rxnfp-bert_ft", "rxnfp-bert_ft_10k_25s", "rxnfp-bert_pretrained", "rxnmapper-albert")


def main() -> None:
    """Print a row per model, and the matrices whose verdict is not the same for all seeds."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "checkpoints")
    differing = contradicting = 0
    print("| model | matrices | same for all seeds | `undecided` for some | contradict | verdicts, seed 0 |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        for model in MODELS:
            verdicts: dict[str, list[str]] = defaultdict(list)
            for seed in SEEDS:
                score = wqscore.score(
                    str(folder / model), metrics=("alpha",), seed=seed, bootstrap=0, store=f"{scratch}/store.sqlite"
                )
                for row in score.layers:
                    if score.preset.matrices.averages(row.matrix.role):
                        verdicts[row.matrix.name].append(row.verdict)
            open_ = sum("undecided" in found for found in verdicts.values())
            against = sum(len(set(found) - {"undecided"}) > 1 for found in verdicts.values())
            same = sum(len(set(found)) == 1 for found in verdicts.values())
            first = ", ".join(f"{n} {v}" for v, n in Counter(found[0] for found in verdicts.values()).most_common())
            print(f"| {model} | {len(verdicts)} | {same} | {open_} | {against} | {first} |", flush=True)
            differing, contradicting = differing + len(verdicts) - same, contradicting + against
    print(f"\n{differing} matrices are `undecided` for some seeds only; {contradicting} have two verdicts.")


if __name__ == "__main__":
    main()
