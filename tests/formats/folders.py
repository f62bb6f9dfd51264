"""Models in several folders, and mixtures of experts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.formats.made import INNER, SIDE, Made, Make, Weights, filled, state_of, stored_in, torch, transformers
from tests.formats.quantised import gpt_oss_matrices
from tests.formats.samples import Sample, plain_tensors

SIZES = {"hidden_size": SIDE, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 4}
SIZES |= {"vocab_size": 96, "num_local_experts": 3, "num_experts_per_tok": 2}
NEEDED = {"config.json", "modules.json", "model_index.json"}


def fused_experts(folder: Path) -> Iterator[Made]:
    """Two layouts: (experts, in, out) with gate and up in turn, and gate before up."""
    model = filled(
        transformers.GptOssForCausalLM(transformers.GptOssConfig(intermediate_size=96, head_dim=16, **SIZES))
    )
    model.save_pretrained(folder / "gpt-oss")
    yield Made(folder / "gpt-oss", gpt_oss_matrices(state_of(model)), stored_in(folder / "gpt-oss"))
    sizes = SIZES | {"intermediate_size": 96, "intermediate_size_mlp": INNER, "head_dim": 16}
    model = filled(transformers.Llama4ForCausalLM(transformers.Llama4TextConfig(**sizes)))
    model.save_pretrained(folder / "llama4")
    yield Made(folder / "llama4", llama4_matrices(state_of(model)), stored_in(folder / "llama4"))


def llama4_matrices(state: Weights) -> dict[str, Any]:
    weights: dict[str, Any] = {}
    for name, tensor in state.items():
        if name.endswith("experts.gate_up_proj"):
            for expert, both in enumerate(tensor):
                gate, up = both.chunk(2, dim=1)
                weights |= {f"{name}[{expert}.gate]": gate.T, f"{name}[{expert}.up]": up.T}
        elif name.endswith("experts.down_proj"):
            weights |= {f"{name}[{expert}]": weight.T for expert, weight in enumerate(tensor)}
        else:
            weights[name] = tensor
    return weights


def experts_by_themselves(folder: Path) -> Iterator[Made]:
    """Models that transformers holds in stacks and saves in single matrices, as they were published."""
    models = {
        "mixtral": transformers.MixtralForCausalLM(transformers.MixtralConfig(intermediate_size=96, **SIZES)),
        "qwen": transformers.Qwen2MoeForCausalLM(
            transformers.Qwen2MoeConfig(
                num_experts=3, moe_intermediate_size=96, shared_expert_intermediate_size=INNER, **SIZES
            )
        ),
    }
    for name, model in models.items():
        filled(model).save_pretrained(folder / name)
        tensors = plain_tensors(folder / name)
        assert sum(".experts." in tensor for tensor in tensors) == 9
        stacks = {key: stack for key, stack in state_of(model).items() if key.endswith("experts.down_proj")}
        down = [key for key in sorted(tensors) if re.search(r"\.experts\.\d\.(w2|down_proj)\.", key)]
        for stack in stacks.values():
            assert torch.equal(torch.stack([tensors[key] for key in down]), stack)
        yield Made(folder / name, tensors, tensors)


def pipeline(folder: Path, side: int) -> None:
    """A diffusion pipeline: a U-Net, a VAE and a scheduler."""
    import diffusers

    unet = diffusers.UNet2DModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(side,),
        norm_num_groups=4,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        add_attention=False,
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(side,), layers_per_block=1, latent_channels=4, norm_num_groups=4
    )
    made = diffusers.LDMPipeline(
        vqvae=filled(vae, first_seed=1000), unet=filled(unet), scheduler=diffusers.DDIMScheduler()
    )
    made.save_pretrained(folder)


def sentence_model(folder: Path, side: int) -> None:
    """A BERT, a pooling and a dense layer."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    bert = folder / "bert"
    bert.mkdir()
    (bert / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]))
    sizes = {"hidden_size": side, "intermediate_size": 2 * side, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=96, max_position_embeddings=64, **sizes)
    filled(transformers.BertModel(config)).save_pretrained(bert)
    transformers.BertTokenizerFast(str(bert / "vocab.txt")).save_pretrained(bert)
    parts = [
        modules.Transformer(str(bert)),
        modules.Pooling(side),
        filled(modules.Dense(side, side), first_seed=1000),
    ]
    SentenceTransformer(modules=parts, device="cpu").save(str(folder))
    for file in [file for file in folder.rglob("*") if file.is_file()]:
        if file.parent == bert or (file.name not in NEEDED and file.suffix != ".safetensors"):
            file.unlink()
    bert.rmdir()


def components(folder: Path, _: Weights) -> Made:
    """The tensors of every folder as safetensors reads them, under the folder's name."""
    manifests = [json.loads(file.read_text()) for file in folder.glob("mod*.json")]
    assert len(manifests) == 1
    weights = {
        f"{part.name}.{name}": tensor
        for part in sorted(folder.iterdir())
        if part.is_dir()
        for name, tensor in plain_tensors(part).items()
    } | plain_tensors(folder)
    assert len(weights) > 10
    return Made(folder, weights, weights)


ROWS: dict[str, Make] = {
    "mixture of experts, in stacks": fused_experts,
    "mixture of experts, a matrix for each": experts_by_themselves,
    "diffusers pipeline": Sample("diffusers", pipeline, components, kept_side=4),
    "sentence-transformers model": Sample("sentence-transformers", sentence_model, components, kept_side=8),
}
