"""Small MLPs on 500 noisy digits, for the grid of phases and for schedules by layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.zoo.tasks import load_task
from benchmarks.zoo.train import Examples, training_examples

EXAMPLES, LABEL_NOISE = 500, 0.1
_TRAINING = 1_200
#: Of the examples and of their wrong labels, which are the same for every network.
_DATA_SEED = 20260101


@dataclass(frozen=True, eq=False)
class Data:
    """What a network learns, what strengths are chosen on, and what it is judged by."""

    train: Examples
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


@cache
def data() -> Data:
    """Return 500 training digits with a tenth of the labels replaced, the 700 others for validation, and 597."""
    task = load_task("digits", "mlp", Path("checkpoints/zoo/wheels"))
    train = training_examples(task, EXAMPLES / _TRAINING, LABEL_NOISE, _DATA_SEED)
    used = {row.tobytes() for row in train.inputs.numpy()}
    rest = [place for place, row in enumerate(task.inputs) if row.tobytes() not in used]
    validation = torch.from_numpy(task.inputs[rest]), torch.from_numpy(task.labels[rest])
    return Data(train, validation, (torch.from_numpy(task.held_out_inputs), torch.from_numpy(task.held_out_labels)))


def mlp(*widths: int, seed: int) -> nn.Sequential:
    """Return a newly initialised MLP with ReLU, as PyTorch initialises it."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for one, other in zip(widths, widths[1:], strict=False):  # noqa: RUF007
        layers += [nn.Linear(one, other), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def error(network: Callable[[Tensor], Tensor], examples: tuple[Tensor, Tensor]) -> float:
    """Return the percentage that a network gets wrong."""
    with torch.no_grad():
        return 100 * float((network(examples[0]).argmax(1) != examples[1]).double().mean())
