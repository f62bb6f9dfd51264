"""What a teleport does to a tiny transformer: its gradient, and SGD's loss over learning rates.

A GPT-2 of two layers with ReLU learns random chains of tokens; at step 20 it is moved once, by a climb of the
gradient or by a random element of the same bound.

Run `python -m benchmarks.landscape.transformer_teleports`; transformer_teleports.md is the table of the last run.
Some minutes on one core.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import transformers
from torch.nn.functional import cross_entropy

from benchmarks.landscape.intervals import interval
from wqscore.landscape import TransformerTeleport

SEEDS = 8
RATES = (0.03, 0.1, 0.3, 0.6, 1.0)
BOUNDS = (0.25, 0.5, 1.0)
WAYS = ("plain", "ascent", "random")
BOUND = 0.5
STEPS, MOVED_AT = 200, 20
VOCABULARY, LENGTH, BATCH, CLIMBED_ON = 16, 12, 16, 256


def model_of(seed: int) -> Any:
    """A GPT-2 of 2 layers and 4 heads of 8, its head untied, without dropout."""
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=LENGTH, n_embd=32, n_layer=2, n_head=4, n_inner=64,
        activation_function="relu", tie_word_embeddings=False, bos_token_id=0, eos_token_id=0,
        initializer_range=0.08, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config)


def chains(seed: int, count: int) -> torch.Tensor:
    """Sequences in which each token depends on the last but one; shape (count, LENGTH + 1)."""
    rng = np.random.default_rng(seed)
    shares = np.exp(3 * np.random.default_rng([seed, 0]).standard_normal((VOCABULARY, VOCABULARY))).cumsum(axis=1)
    shares /= shares[:, -1:]
    found = rng.integers(0, VOCABULARY, (count, LENGTH + 1))
    for place in range(2, LENGTH + 1):
        found[:, place] = (rng.random((count, 1)) > shares[found[:, place - 2]]).sum(axis=1)
    return torch.from_numpy(found)


def next_tokens(output: Any, targets: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy."""
    return cross_entropy(output.logits.flatten(0, 1), targets.flatten())


def gradient_norm(model: Any, rows: torch.Tensor) -> float:
    """Of the loss on some sequences."""
    slopes = torch.autograd.grad(next_tokens(model(rows[:, :-1]), rows[:, 1:]), list(model.parameters()))
    return float(torch.cat([each.flatten() for each in slopes]).norm())


def move(model: Any, way: str, bound: float, rows: torch.Tensor, seed: int) -> float:
    """Move a model in a way; by how much the gradient grows on these rows."""
    before = gradient_norm(model, rows)
    teleport = TransformerTeleport(model, bound=bound)
    if way == "ascent":
        teleport.ascend(rows[:, :-1], rows[:, 1:], next_tokens)
    elif way == "random":
        teleport.randomise(seed)
    return gradient_norm(model, rows) / before


def trained(seed: int, rate: float, way: str, steps: int = STEPS) -> tuple[Any, torch.Tensor]:
    """A model after some steps of SGD, and the sequences it learned from."""
    model, rows = model_of(seed), chains(seed, 2048)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    order = np.random.default_rng([seed, 1])
    for step in range(steps):
        if step == MOVED_AT and way != "plain":
            move(model, way, BOUND, rows[:CLIMBED_ON], seed)
        batch = rows[torch.from_numpy(order.choice(len(rows), BATCH, replace=False))]
        optimizer.zero_grad()
        next_tokens(model(batch[:, :-1]), batch[:, 1:]).backward()
        optimizer.step()
    return model, rows


def growth_table() -> str:
    """How many times larger the gradient is after a move at step 20 of a training at 0.3, medians over seeds."""
    lines = ["| bound | ascent | random |", "| --- | --- | --- |"]
    starts = [trained(seed, 0.3, "plain", MOVED_AT) for seed in range(SEEDS)]
    for bound in BOUNDS:
        cells = []
        for way in WAYS[1:]:
            found = []
            for seed, (model, rows) in enumerate(starts):
                copy = model_of(seed)
                copy.load_state_dict(model.state_dict())
                found.append(move(copy, way, bound, rows[:CLIMBED_ON], seed))
            cells.append(f"{np.median(found):.2f} ({min(found):.2f} to {max(found):.2f})")
        lines.append(f"| {bound:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def final_loss(seed: int, rate: float, way: str) -> float:
    """The loss on training sequences after the last step; inf where it diverges."""
    try:
        model, rows = trained(seed, rate, way)
    except ValueError:
        return np.inf
    with torch.no_grad():
        found = float(next_tokens(model(rows[:512, :-1]), rows[:512, 1:]))
    return found if np.isfinite(found) else np.inf


def loss_table() -> str:
    """Median losses after SGD, and how often a way beats plain training at the same rate."""
    lines = [
        "| learning rate | plain | ascent | random | ascent less plain (95 %) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for rate in RATES:
        found = {way: np.array([final_loss(seed, rate, way) for seed in range(SEEDS)]) for way in WAYS}
        cells = [
            f"{np.median(each):.3f}" + ("" if way == "plain" else f" ({(each < found['plain']).sum()} of {SEEDS})")
            for way, each in found.items()
        ]
        change = found["ascent"] - found["plain"]
        mean, low, high = interval(change) if np.isfinite(change).all() else (np.nan,) * 3
        spread = f"{mean:+.3f} ({low:+.3f} to {high:+.3f})" if np.isfinite(mean) else "diverges"
        lines.append(f"| {rate:g} | {' | '.join(cells)} | {spread} |")
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"{growth_table()}\n\n{loss_table()}")
