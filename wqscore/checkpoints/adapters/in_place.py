"""Put low-rank updates in the place of their factors: merged with the weight where the file has it, or alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from wqscore.checkpoints.adapters.lora_weight import LoraWeight
from wqscore.checkpoints.adapters.merging import block_of, fitted, stored_transposed
from wqscore.checkpoints.adapters.named import NamedUpdates, usual_name
from wqscore.checkpoints.decoding import DecodedTensor, Decoding, part_of, refused, renamed
from wqscore.checkpoints.tensor import Tensor

#: Where an adapted layer keeps its own weight: peft, LitGPT, loralib, NeMo, minLoRA, peft of torch's attention; and,
#: in older peft and torchtune, beside the factors.
_BASES = (
    *("base_layer.weight", "linear.weight", "conv.weight", "to_wrap.weight", "parametrizations.weight.original"),
    *("base_layer.in_proj_weight", "weight"),
)
_NO_BASE = "the weight that it changes is not in the file, or can't be read, beside others that are"


def with_updates(tensors: Sequence[Tensor], found: NamedUpdates) -> tuple[Tensor, ...]:
    """Replace the factors of low-rank updates by W + ΔW where the file has W, otherwise by ΔW.

    With several updates of one weight, nothing says which is in use: W stays as it is and the updates are refused. In
    a file without W each update is a weight of its own, prefixed with the adapter's name.

    Args:
        tensors: all tensors of a checkpoint.
        found: the updates among them.

    Returns:
        The tensors, in order; the stored factors stay, marked as parts of a weight or with the reason why they are
        not read.
    """
    planned = _Planned(tensors, found)
    placed = [each for tensor in tensors for each in planned.at(tensor)]
    taken = Counter(name for tensor in placed for name in {tensor.name, usual_name(tensor.name)})
    return tuple(
        tensor if tensor.part_of or taken[name := usual_name(tensor.name)] > 1 else renamed(tensor, name)
        for tensor in placed
    )


class _Planned:
    """What becomes of each tensor."""

    def __init__(self, tensors: Sequence[Tensor], found: NamedUpdates) -> None:
        self._others = {tensor.name: tensor for tensor in found.others if not tensor.part_of}
        self._decodings: dict[str, list[Decoding]] = {}
        self._owners: dict[str, str] = {}
        self._reasons = dict(found.reasons)
        bases = {layer: self._base(layer) for layer in found.parts}
        shapes = {usual_name(name): tensor.shape for name, tensor in self._others.items()}
        conv1d = stored_transposed(shapes)
        is_model = any(bases.values()) or any(".base_layer." in name for name in self._others)
        for layer in found.parts:
            weights, base = found.weights.get(layer, {}), bases[layer]
            if base is not None:
                self._with_base(layer, weights, found.parts[layer], base, conv1d)
            elif is_model:
                self._refuse(weights.values(), _NO_BASE)
            else:
                self._alone(weights)
        self._leave_out_originals()

    def at(self, tensor: Tensor) -> Iterator[Tensor]:
        """The tensors that come in the place of one."""
        name = tensor.name
        if tensor.part_of:
            yield tensor
            return
        yield from map(DecodedTensor, self._decodings.get(name, []))
        owner = self._owners.get(name)
        if owner is None:
            yield refused(tensor, self._reasons[name]) if name in self._reasons else tensor
        elif owner != name:
            yield part_of(tensor, owner)

    def _base(self, layer: str) -> Tensor | None:
        names = (f"{layer}.{suffix}" for suffix in _BASES)
        return next((self._others[name] for name in names if name in self._others), None)

    def _with_base(
        self,
        layer: str,
        weights: Mapping[str | None, LoraWeight],
        parts: Sequence[Tensor],
        base: Tensor,
        conv1d: Mapping[str, bool],
    ) -> None:
        stem = "in_proj_weight" if base.name.endswith("in_proj_weight") else "weight"
        name = usual_name(f"{layer}.{stem}")
        for part in parts:
            if part.name in self._reasons:
                self._reasons[part.name] += f": {name} is scored without it"
        if len(weights) > 1:
            self._refuse(weights.values(), f"one of {len(weights)} adapters of {name}, which is scored without them")
        for weight in weights.values() if len(weights) == 1 else ():
            fits = fitted(weight, base.shape, conv1d.get(block_of(name)))
            if base.refusal or base.dtype.kind != "float":
                self._refuse([weight], f"an update of {name}, which can't be read")
                continue
            if fits is None:
                self._refuse([weight], f"it does not fit {name}, which is scored without it")
                continue
            self._put(base.name, fits.named(name).merged_with(renamed(base, name)))
            self._owners[base.name] = name
            self._owners |= {part.name: name for part in weight.parts}

    def _alone(self, weights: Mapping[str | None, LoraWeight]) -> None:
        for adapter, weight in weights.items():
            name = usual_name(weight.name)
            own = weight.named(name if len(weights) == 1 else f"{adapter or 'unnamed'}.{name}")
            self._put(own.a.name, own.change)
            self._owners |= {part.name: own.name for part in own.parts}

    def _put(self, place: str, decoding: Decoding) -> None:
        self._decodings.setdefault(place, []).append(decoding)

    def _refuse(self, weights: Iterable[LoraWeight], reason: str) -> None:
        for weight in weights:
            self._reasons |= {part.name: reason for part in weight.parts}

    def _leave_out_originals(self) -> None:
        """Leave out the weights that peft keeps beside the trained copy of a module."""
        copies = {usual_name(name) for name in self._others if ".modules_to_save." in name}
        for name in self._others:
            replaced = usual_name(name).replace(".original_module.", ".")
            if ".original_module." in name and replaced in copies:
                self._owners[name] = replaced
