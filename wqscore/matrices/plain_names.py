"""Tensors' names without what wrappers and frameworks add to them.

torch.compile, data parallelism, FSDP, activation checkpointing, DeepSpeed and PEFT wrap a module in another, whose
attribute becomes a component of every name below it. TensorFlow and JAX write slashes for dots, and `:0` at the end.
"""

from __future__ import annotations

#: Attributes under which a wrapper keeps the module that it wraps; no layer of a model has one of these names.
_WRAPPERS = frozenset(
    {"_orig_mod", "_fsdp_wrapped_module", "_fpw_module", "_checkpoint_wrapped_module", "_forward_module"}
    | {"_original_module", "_wrapped_module", "wrapped_module", "_model", "_module", "base_layer"}
)
#: Names that may also be a model's own, and so are wrappers only at the start of a name.
_OUTER = frozenset({"module", "base_model"})


def plain_name(name: str) -> str:
    """Drop wrappers' components from a tensor's name, wherever they are, and write it with dots.

    Example:
        >>> plain_name("module._orig_mod.layers.0._checkpoint_wrapped_module.fc1.weight")
        'layers.0.fc1.weight'
        >>> plain_name("vit/encoder/layer/dense/kernel:0")
        'vit.encoder.layer.dense.kernel'
    """
    dotted = name.removesuffix(":0").replace("/", ".")
    components = dotted.split(".")
    if _WRAPPERS.isdisjoint(components) and components[0] not in _OUTER:
        return dotted
    kept = [component for component in components[:-1] if component not in _WRAPPERS]
    while kept and kept[0] in _OUTER:
        kept.pop(0)
    return ".".join([*kept, components[-1]])
