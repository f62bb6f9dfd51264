"""Teleports of transformers: outputs stay, the gradient grows as differences say, and what isn't known is refused."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from tests.symmetries.tiny import MODELS, SIZES, all_in_float64, drawn
from wqscore.errors import UsageError

torch, transformers = Oracle("torch"), Oracle("transformers")
pytestmark = pytest.mark.oracle("torch", "transformers")

HEADS = ["attention.qk", "attention.vo"]
#: What each model is moved by: OPT has ReLU, Llama shared keys, Phi-3 fused layers and heads half rotated.
MOVED = {
    "bert": HEADS,
    "gpt2": [*HEADS, "norm.gain"],
    "opt": [*HEADS, "norm.gain", "neuron.scale"],
    "llama-biased": [*HEADS, "norm.gain", "neuron.scale"],
    "qwen3": ["attention.vo", "norm.gain", "neuron.scale"],
    "phi3-partial": [*HEADS, "norm.gain", "neuron.scale"],
}
_MADE: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def _in_float64() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for name in MOVED:
            all_in_float64(getattr(transformers, MODELS[name][0]), patched)
        yield
    _MADE.clear()


def _model(name: str) -> Any:
    if name not in _MADE:
        _MADE[name] = drawn(name)
    return copy.deepcopy(_MADE[name])


def _rows(start: int = 3) -> tuple[Any, Any]:
    tokens = torch.arange(start, start + 24).reshape(2, 12)
    return tokens, (tokens * 7 + 1) % SIZES["vocab_size"]


def _loss(output: Any, targets: Any) -> Any:
    return torch.nn.functional.cross_entropy(output.logits.flatten(0, 1), targets.flatten())


def _outputs(model: Any) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = model(_rows(20)[0]).logits.double().numpy()
    return found


def _change(model: Any, before: np.ndarray) -> float:
    """The largest change of a logit, of the size of the largest."""
    return float(np.abs(_outputs(model) - before).max() / np.abs(before).max())


def _squared_gradient(model: Any) -> float:
    inputs, targets = _rows()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        slopes = torch.autograd.grad(_loss(model(inputs), targets), list(model.parameters()))
    return float(sum(each.square().sum() for each in slopes))


def _generators(teleport: Any, size: float, seed: int) -> dict[str, list[np.ndarray]]:
    """Random generators, neither symmetric nor diagonal; planes by hand, as complex numbers."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[np.ndarray]] = {}
    for name, pairs in teleport.pairs.items():
        found[name] = []
        for pair in pairs:
            each = size * rng.standard_normal((pair.size,) if pair.is_diagonal else (pair.size, pair.size))
            half = pair.rotary // 2
            if half:
                each[: pair.rotary] = each[:, : pair.rotary] = 0
                for plane in range(half):
                    real, imaginary = size * rng.standard_normal(2)
                    each[plane, plane] = each[plane + half, plane + half] = real
                    each[plane, plane + half], each[plane + half, plane] = -imaginary, imaginary
            found[name].append(each)
    return found


@pytest.mark.parametrize("name", MOVED)
def test_outputs_stay_under_elements_chosen_and_random(name: str) -> None:
    from wqscore.landscape import TransformerTeleport

    model = _model(name)
    kept = {key: id(each) for key, each in model.named_parameters(remove_duplicate=False)}
    buffers = {key: each.clone() for key, each in model.named_buffers()}
    before, start = _outputs(model), {key: each.detach().clone() for key, each in model.named_parameters()}
    teleport = TransformerTeleport(model)
    assert list(teleport.pairs) == MOVED[name]
    moved = teleport.apply(_generators(teleport, 0.3, seed=1), _rows()[0], {"input_ids": _rows(20)[0]})
    assert moved.batch_change is not None and moved.held_out_change is not None
    assert max(moved.batch_change, moved.held_out_change) < 1e-12 * np.abs(before).max()
    assert (moved.grad_before, moved.grad_after) == (None, None)
    assert _change(model, before) < 1e-12
    teleport.randomise(seed=2)
    assert _change(model, before) < 1e-12
    assert {key: id(each) for key, each in model.named_parameters(remove_duplicate=False)} == kept
    assert all(torch.equal(each, buffers[key]) for key, each in model.named_buffers())
    changed = {key for key, each in model.named_parameters() if not torch.allclose(each, start[key], rtol=1e-3)}
    named = {lines.tensor for pairs in teleport.pairs.values() for pair in pairs for lines in pair.firsts}
    assert named <= changed


@pytest.mark.parametrize("name", MOVED)
def test_ascent_makes_the_gradient_larger_and_keeps_the_outputs(name: str) -> None:
    from wqscore.landscape import TransformerTeleport

    model = _model(name)
    before, start = _outputs(model), _squared_gradient(model)
    moved = TransformerTeleport(model).ascend(*_rows(), _loss, steps=3, held_out=_rows(20)[0])
    assert moved.grad_before == pytest.approx(start**0.5, rel=1e-10)
    assert moved.grad_after == pytest.approx(_squared_gradient(model) ** 0.5, rel=1e-10)
    assert moved.grad_after is not None and moved.grad_after > 1.2 * start**0.5
    assert _change(model, before) < 1e-12
    assert all(each.grad is None for each in model.parameters())


def test_a_step_along_the_slopes_gains_their_square() -> None:
    from wqscore.landscape import TransformerTeleport

    model, lr = _model("llama-biased"), 1e-6
    teleport = TransformerTeleport(model)
    square = sum(np.square(each).sum() for found in teleport.slopes(*_rows(), _loss).values() for each in found)
    start = _squared_gradient(model)
    teleport.ascend(*_rows(), _loss, steps=1, lr=lr)
    assert (_squared_gradient(model) - start) / lr == pytest.approx(square, rel=1e-2)


def test_a_climb_goes_higher_than_random_elements_of_its_bound() -> None:
    from wqscore.landscape import TransformerTeleport

    model = _model("llama-biased")
    climbed = TransformerTeleport(model, bound=0.5).ascend(*_rows(), _loss, steps=3).grad_after
    others = []
    for seed in range(5):
        other = _model("llama-biased")
        TransformerTeleport(other, bound=0.5).randomise(seed)
        others.append(_squared_gradient(other) ** 0.5)
    assert climbed is not None and climbed > 1.2 * max(others)


@pytest.mark.parametrize("name", MOVED)
def test_slopes_are_what_differences_say(name: str) -> None:
    """Along random generators of each transformation by itself, central differences of ‖∇L‖² of moved copies."""
    from wqscore.landscape import TransformerTeleport

    model, h = _model(name), 1e-4
    teleport = TransformerTeleport(model)
    slopes = teleport.slopes(*_rows(), _loss)
    directions = _generators(teleport, 1.0, seed=3)
    for transformation, along in directions.items():
        ends = []
        for sign in (1, -1):
            moved = copy.deepcopy(model)
            TransformerTeleport(moved).apply({transformation: [sign * h * each for each in along]})
            ends.append(_squared_gradient(moved))
        expected = sum(np.vdot(one, other) for one, other in zip(slopes[transformation], along, strict=True))
        assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(expected, rel=1e-5, abs=1e-6), transformation
        # Rotations of both sides leave every norm: their part of the slope is none.
        for each in slopes[transformation]:
            np.testing.assert_allclose(each, each.T, atol=1e-9 * max(1.0, np.abs(each).max()))


@settings(max_examples=examples(25))
@given(st.sampled_from(["gpt2", "llama-biased"]), st.integers(0, 999), st.floats(0.01, 0.6), st.data())
def test_any_element_of_any_transformation_keeps_the_outputs(
    name: str, seed: int, size: float, data: st.DataObject
) -> None:
    from wqscore.landscape import TransformerTeleport

    chosen = data.draw(st.lists(st.sampled_from(MOVED[name]), min_size=1, unique=True))
    model = _model(name)
    before = _outputs(model)
    teleport = TransformerTeleport(model, chosen)
    assert set(teleport.pairs) == set(chosen)
    teleport.apply(_generators(teleport, size, seed))
    # A matrix of ill condition rounds more.
    assert _change(model, before) < 1e-12


def test_without_the_planes_of_rotary_positions_the_outputs_move() -> None:
    """The check can fail: the general element on rotated heads is no symmetry."""
    from dataclasses import replace

    from wqscore.landscape import TransformerTeleport

    model = _model("llama-biased")
    before = _outputs(model)
    teleport = TransformerTeleport(model, ["attention.qk"])
    teleport.pairs = {
        name: tuple(replace(each, rotary=0) for each in pairs) for name, pairs in teleport.pairs.items()
    }
    teleport.apply(_generators(teleport, 0.3, seed=1))
    assert _change(model, before) > 1e-3


def test_the_sum_of_all_moves_is_held_to_the_bound() -> None:
    from wqscore.landscape import TransformerTeleport

    model = _model("opt")
    first = model.model.decoder.layers[0].fc1.weight.detach().clone()
    teleport = TransformerTeleport(model, ["neuron.scale"], bound=0.2)
    for _ in range(3):
        teleport.ascend(*_rows(), _loss, steps=2)
    logs = (model.model.decoder.layers[0].fc1.weight.detach() / first).log()
    assert 0 < float(logs.abs().max()) <= 0.2 + 1e-12
    fresh = _model("opt")
    TransformerTeleport(fresh, ["neuron.scale"], bound=0.2).randomise(seed=1)
    logs = (fresh.model.decoder.layers[0].fc1.weight.detach() / first).log()
    np.testing.assert_allclose(np.abs(logs.numpy()), 0.2, rtol=1e-10)


@pytest.mark.parametrize(("dtype", "most"), [("float32", 1e-5), ("bfloat16", 0.1)])
def test_other_types_stay_and_only_rounding_moves_the_outputs(dtype: str, most: float) -> None:
    from wqscore.landscape import TransformerTeleport

    kind = getattr(torch, dtype)
    model = _model("gpt2").to(kind)
    before = _outputs(model)
    teleport = TransformerTeleport(model)
    teleport.ascend(*_rows(), _loss, steps=2)
    assert {each.dtype for each in model.parameters()} == {kind}
    assert 0 < _change(model, before) < most


def test_the_optimizers_state_is_kept_or_dropped_and_tied_weights_stay_tied() -> None:
    from wqscore.landscape import TransformerTeleport

    for state in ("keep", "drop"):
        model = _model("gpt2")
        optimizer = torch.optim.Adam(model.parameters())
        _loss(model(_rows()[0]), _rows()[1]).backward()
        optimizer.step()
        held = {id(key): each["exp_avg"].clone() for key, each in optimizer.state.items()}
        TransformerTeleport(model, optimizer=optimizer, state=state).randomise(seed=0)  # type: ignore[arg-type]
        assert model.lm_head.weight is model.transformer.wte.weight
        if state == "drop":
            assert not optimizer.state
        else:
            assert all(torch.equal(each["exp_avg"], held[id(key)]) for key, each in optimizer.state.items())


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("T5ForConditionalGeneration", {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}),
        ("GemmaForCausalLM", {**SIZES, "num_hidden_layers": 1, "head_dim": 8}),
        ("ViTModel", {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}),
    ],
)
def test_types_whose_layout_is_not_known_are_refused_in_a_line(kind: str, sizes: dict[str, Any]) -> None:
    from wqscore.landscape import TransformerTeleport

    made = getattr(transformers, kind)
    model = made(made.config_class(**{"vocab_size": 50, **sizes}))
    with pytest.raises(UsageError, match=f"{kind} can't be teleported: models of type .* not among") as refused:
        TransformerTeleport(model)
    assert "\n" not in str(refused.value)


def test_modules_that_are_not_known_or_not_free_are_refused() -> None:
    from wqscore.landscape import TransformerTeleport

    with pytest.raises(UsageError, match="Sequential can't be teleported: it has no configuration"):
        TransformerTeleport(torch.nn.Sequential(torch.nn.Linear(3, 3)))
    with pytest.raises(UsageError, match="the model is a dict"):
        TransformerTeleport({})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"neuron\.scale doesn't apply: its activation, gelu_new, doesn't scale"):
        TransformerTeleport(_model("gpt2"), ["neuron.scale"])
    with pytest.raises(ValueError, match=r"attention\.qk doesn't apply: .*signs"):
        TransformerTeleport(_model("qwen3"), ["attention.qk"])
    with pytest.raises(ValueError, match="no transformation is chosen"):
        TransformerTeleport(_model("gpt2"), [])
    with pytest.raises(ValueError, match="bound is 0"):
        TransformerTeleport(_model("gpt2"), bound=0)

    tied = _model("opt")
    tied.model.decoder.layers[1].fc1.weight = tied.model.decoder.layers[0].fc1.weight
    with pytest.raises(UsageError, match=r"fc1\.weight is the same tensor as .*fc1\.weight, and norm\.gain"):
        TransformerTeleport(tied)
    TransformerTeleport(tied, HEADS).randomise(seed=0)
    frozen = _model("opt")
    frozen.model.decoder.layers[0].fc1.weight.requires_grad_(False)
    with pytest.raises(UsageError, match=r"layers\.0\.fc1\.weight is frozen, and norm\.gain would change it"):
        TransformerTeleport(frozen)
    before = _outputs(frozen)
    TransformerTeleport(frozen, HEADS).ascend(*_rows(), _loss, steps=1)
    assert _change(frozen, before) < 1e-12
    with pytest.raises(UsageError, match="on the meta device, so without values"):
        TransformerTeleport(_model("bert").to("meta"))
    held = _model("opt")
    layer = held.model.decoder.layers[0].fc1
    values = layer.weight.detach()
    del layer.weight
    layer.register_buffer("weight", values)
    with pytest.raises(UsageError, match=r"fc1\.weight is no floating-point parameter, and norm\.gain"):
        TransformerTeleport(held)


def test_dropout_is_refused_where_something_is_measured() -> None:
    from wqscore.landscape import TransformerTeleport

    model = _model("gpt2").train()
    start = model.transformer.h[0].attn.c_attn.weight.detach().clone()
    teleport = TransformerTeleport(model)
    for call in (
        lambda: teleport.ascend(*_rows(), _loss),
        lambda: teleport.randomise(0, _rows()[0]),
        lambda: teleport.randomise(0, held_out=_rows()[0]),
    ):
        with pytest.raises(ValueError, match=r"by dropout: measure after model.eval\(\)"):
            call()
    assert torch.equal(model.transformer.h[0].attn.c_attn.weight, start)
    before = _outputs(model.eval())
    teleport.ascend(*_rows(), _loss, steps=1)
    assert _change(model, before) < 1e-12


def test_generators_that_do_not_fit_move_nothing() -> None:
    from wqscore.landscape import TransformerTeleport

    model = _model("llama-biased")
    teleport = TransformerTeleport(model)
    start = {name: each.detach().clone() for name, each in model.named_parameters()}
    good = _generators(teleport, 0.1, seed=0)
    with pytest.raises(ValueError, match=r"norm\.mean is not among the transformations attention\.qk"):
        teleport.apply({"norm.mean": []})
    with pytest.raises(ValueError, match=r"attention.vo needs 4 generators of the shape \(8, 8\)"):
        teleport.apply({"attention.vo": good["attention.vo"][1:]})
    with pytest.raises(ValueError, match="doesn't commute with rotary positions"):
        teleport.apply({"attention.qk": good["attention.vo"]})
    with pytest.raises(ValueError, match="would not be finite"):
        teleport.apply({**good, "neuron.scale": [20_000 * each for each in good["neuron.scale"]]})
    with pytest.raises(ValueError, match="is not finite"):
        teleport.ascend(*_rows(), lambda output, _: output.logits.sum() * float("nan"))
    broken = _model("llama-biased")
    with torch.no_grad():
        broken.lm_head.weight[0] = float("nan")
    with pytest.raises(ValueError, match="outputs are not finite"):
        TransformerTeleport(broken).ascend(*_rows(), _loss)
    assert all(torch.equal(each, start[name]) for name, each in model.named_parameters())
