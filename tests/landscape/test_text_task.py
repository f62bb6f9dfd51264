"""`--text`: the loss that transformers itself computes, of a causal and of a masked model, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.landscape.made import landscape, torch
from tests.oracles import Oracle
from wqscore.errors import UsageError, WqscoreError

pytestmark = pytest.mark.oracle("torch", "transformers", "tokenizers")
transformers = Oracle("transformers")
tokenizers = Oracle("tokenizers")
text_task = Oracle("wqscore.landscape.text_task")

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "runs", "away", "from", "it"]


def saved(folder: Path, kind: str, **changes: Any) -> str:
    """A tiny model and its tokenizer; returns the folder."""
    vocabulary = {word: place for place, word in enumerate(["[UNK]", "[MASK]", *WORDS])}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]", mask_token="[MASK]")
    size, common = len(vocabulary), {"vocab_size": len(vocabulary)}
    torch.manual_seed(0)
    if kind == "causal":
        config = transformers.GPT2Config(n_embd=8, n_layer=1, n_head=2, n_positions=16, **common)
        model = transformers.GPT2LMHeadModel(config)
    else:
        config = transformers.BertConfig(
            hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            max_position_embeddings=16, **common,
        )  # fmt: skip
        model = transformers.BertForMaskedLM(config)
    assert size == model.get_input_embeddings().weight.shape[0]
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    if changes:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return str(folder)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("text") / "words.txt"
    file.write_text(" ".join(np.random.default_rng(0).choice(WORDS, 400)), encoding="utf-8")
    return file


@pytest.fixture(scope="module", params=["causal", "masked"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return request.param, saved(tmp_path_factory.mktemp("model") / "m", request.param)


def test_the_loss_is_transformers_own(model: tuple[str, str], text: Path) -> None:
    from wqscore.landscape.task import level

    kind, folder = model
    task = text_task.text_task(text, windows=10)(folder)
    assert task.n == 10
    auto = transformers.AutoModelForCausalLM if kind == "causal" else transformers.AutoModelForMaskedLM
    whole = auto.from_pretrained(folder)
    losses = []
    for inputs, targets in task.batches:
        labels = torch.cat([inputs[:, :1], targets], 1) if kind == "causal" else targets
        if kind == "causal":  # the last target is no input: one token more would not fit the model's positions
            logits = whole(inputs).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        else:
            loss = whole(inputs, labels=labels).loss
            assert ((targets != -100).sum(1) == 2).all()
            assert (inputs[targets != -100] == 1).all()
        losses.append(float(loss) * len(targets))
    found = level(task)
    assert found.loss == pytest.approx(sum(losses) / task.n, rel=1e-5)
    assert 0 <= found.error <= 100


def test_the_hessian_of_a_transformer(model: tuple[str, str], text: Path) -> None:
    """Against one product by plain double backward passes."""
    from wqscore.landscape.hessian import products

    task = text_task.text_task(text, windows=4)(model[1])
    task.model.eval().double()
    parameters = list(task.model.parameters())
    vector = np.random.default_rng(0).standard_normal(sum(each.numel() for each in parameters))
    ((inputs, targets),) = task.batches
    loss = task.loss(task.model(inputs), targets)
    gradient = torch.cat([each.reshape(-1) for each in torch.autograd.grad(loss, parameters, create_graph=True)])
    expected = torch.autograd.grad(gradient @ torch.from_numpy(vector), parameters, allow_unused=True)
    flat = torch.cat(
        [
            torch.zeros_like(p).reshape(-1) if e is None else e.reshape(-1)
            for e, p in zip(expected, parameters, strict=True)
        ]
    )
    found = products(task)(vector[:, None])[:, 0]
    assert np.abs(found - flat.numpy()).max() < 1e-8 * np.abs(found).max()


def test_between_two_texts_models(model: tuple[str, str], text: Path) -> None:
    make = text_task.text_task(text, windows=4)
    one, other = make(model[1]), make(model[1])
    with torch.no_grad():
        next(iter(other.model.parameters())).mul_(1.5)
    assert np.isfinite(landscape.linear_connectivity(one, one.model, other.model).mc_loss)
    assert 0 < landscape.answers_alike(one, other) < 1


def test_other_models_and_texts_are_refused(tmp_path: Path, text: Path) -> None:
    folder = saved(tmp_path / "m", "masked", architectures=["BertForSequenceClassification"])
    with pytest.raises(
        WqscoreError, match="its architecture is BertForSequenceClassification, not a causal or masked"
    ):
        text_task.text_task(text)(folder)
    with pytest.raises(UsageError, match="--text takes local folders"):
        text_task.text_task(text)("org/name")
    with pytest.raises(WqscoreError, match="no-such-folder"):
        text_task.text_task(text)("./no-such-folder")
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    for name, message in (
        ("empty.txt", "has no text"),
        ("bytes.txt", "is not UTF-8 text"),
        ("none.txt", "can't be read"),
    ):
        with pytest.raises(UsageError, match=message):
            text_task.text_task(tmp_path / name)


def test_a_short_text_is_refused(model: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("the fox")
    with pytest.raises(WqscoreError, match="the text has 2 tokens, and one window"):
        text_task.text_task(tmp_path / "short.txt")(model[1])


def test_a_head_that_is_missing_is_not_made_up(tmp_path: Path, text: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = Path(saved(tmp_path / "m", "masked"))
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "transform.dense" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WqscoreError, match=r"has no cls.predictions.transform.dense.bias, so no language-model head"):
        text_task.text_task(text)(str(folder))


def test_pickles_and_code_of_a_checkpoint_are_not_opened(tmp_path: Path, text: Path) -> None:
    pickled = Path(saved(tmp_path / "pickled", "masked"))
    (pickled / "model.safetensors").unlink()
    (pickled / "pytorch_model.bin").write_bytes(b"no pickle")
    with pytest.raises(WqscoreError, match="transformers can't load the model"):
        text_task.text_task(text)(str(pickled))
    mine = {"model_type": "mine", "auto_map": {"AutoConfig": "code.C", "AutoModelForMaskedLM": "code.M"}}
    coded = Path(saved(tmp_path / "coded", "masked", **mine))
    (coded / "code.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(WqscoreError, match="transformers can't load the model"):
        text_task.text_task(text)(str(coded))
