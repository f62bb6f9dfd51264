"""The networks: MLPs, CNNs and transformers. Blocks are called `layers.<number>`, the classifier `head`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.zoo.families import Family
from benchmarks.zoo.tasks import Task

_CHARACTER_WIDTH = 16  # of an MLP's embedding of characters
_HEADS = 4


class Mlp(nn.Module):
    """Linear layers with ReLU; characters are embedded first."""

    def __init__(self, inputs: int, width: int, depth: int, classes: int, dropout: float, alphabet: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(alphabet, _CHARACTER_WIDTH) if alphabet else None
        first = inputs * _CHARACTER_WIDTH if alphabet else inputs
        self.layers = nn.ModuleList(nn.Linear(width if number else first, width) for number in range(depth))
        self.head = nn.Linear(width, classes)
        self.dropout = dropout

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, shape (batch, classes)."""
        hidden = inputs if self.embedding is None else self.embedding(inputs).flatten(1)
        for layer in self.layers:
            hidden = F.dropout(F.relu(layer(hidden)), self.dropout, self.training)
        return self.head(hidden)


class Cnn(nn.Module):
    """A stem, then 3×3 convolutions with ReLU, the first of stride 2; the mean over positions is classified."""

    def __init__(self, side: int, width: int, depth: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, stride=2 if side > 8 else 1, padding=1)
        self.layers = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride=1 if number else 2, padding=1) for number in range(depth)
        )
        self.head = nn.Linear(width, classes)
        self.dropout = dropout

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, shape (batch, classes)."""
        hidden = F.relu(self.stem(inputs))
        for layer in self.layers:
            hidden = F.dropout(F.relu(layer(hidden)), self.dropout, self.training)
        return self.head(hidden.mean((2, 3)))


class Attention(nn.Module):
    """Self-attention with four heads."""

    def __init__(self, width: int, causal: bool) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.causal = causal

    def forward(self, hidden: Tensor) -> Tensor:
        """Return as many vectors as were given."""
        batch, length, width = hidden.shape
        q, k, v = (
            project(hidden).view(batch, length, _HEADS, -1).transpose(1, 2) for project in (self.q, self.k, self.v)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.o(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Attention and an MLP four times as wide, each after a norm and added to what it reads."""

    def __init__(self, width: int, causal: bool, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, causal)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})
        self.dropout = dropout

    def forward(self, hidden: Tensor) -> Tensor:
        """Return as many vectors as were given."""
        hidden = hidden + F.dropout(self.attention(self.norm1(hidden)), self.dropout, self.training)
        inner = self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(hidden))))
        return hidden + F.dropout(inner, self.dropout, self.training)


class Transformer(nn.Module):
    """Blocks over embedded characters, of which each predicts the next, or over vectors, whose mean is classified."""

    def __init__(
        self, length: int, inputs: int, width: int, depth: int, classes: int, dropout: float, alphabet: int
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(alphabet, width) if alphabet else nn.Linear(inputs, width)
        self.position_embedding = nn.Embedding(length, width)
        self.layers = nn.ModuleList(Block(width, bool(alphabet), dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)
        self.each = bool(alphabet)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, shape (batch, length, classes) or (batch, classes)."""
        hidden = self.embedding(inputs) + self.position_embedding.weight
        for layer in self.layers:
            hidden = layer(hidden)
        hidden = self.norm(hidden)
        return self.head(hidden if self.each else hidden.mean(1))


def build(family: Family, width: int, dropout: float, task: Task, seed: int) -> nn.Module:
    """Return a newly initialised network for a task."""
    torch.manual_seed(seed)
    shape = task.inputs.shape[1:]
    alphabet = task.classes if family.task == "text" else 0
    network: nn.Module
    if family.architecture == "mlp":
        network = Mlp(shape[0], width, family.depth, task.classes, dropout, alphabet)
    elif family.architecture == "cnn":
        network = Cnn(shape[-1], width, family.depth, task.classes, dropout)
    else:
        network = Transformer(shape[0], shape[-1], width, family.depth, task.classes, dropout, alphabet)
    _initialise(network, family)
    return network


def _initialise(network: nn.Module, family: Family) -> None:
    """Draw weights: He's normal before ReLU, else variance 1/inputs, less where a block adds to its input."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=1.0 if family.architecture == "mlp" else 0.1)
        elif isinstance(module, nn.Linear | nn.Conv2d):
            gain = 2.0 if family.architecture != "transformer" and name != "head" else 1.0
            if name.endswith(("attention.o", "fc2")):
                gain /= 2 * family.depth
            inputs = module.weight[0].numel()
            nn.init.normal_(module.weight, std=(gain / inputs) ** 0.5)
            nn.init.zeros_(module.bias)


def weights_of(network: nn.Module) -> dict[str, np.ndarray]:
    """Return copies of the tensors, by name."""
    return {name: tensor.detach().numpy().copy() for name, tensor in network.state_dict().items()}


def load_weights(network: nn.Module, weights: dict[str, np.ndarray]) -> None:
    """Replace the tensors, biases and norms among them."""
    network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
