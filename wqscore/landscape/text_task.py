"""`--text FILE`: the language-model loss of a transformers model on plain text.

The model is built by transformers' own classes from a local folder, from safetensors alone; code of a checkpoint is
never run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn.functional import cross_entropy

from wqscore.errors import UsageError, read_small
from wqscore.landscape.task import LandscapeError, Task
from wqscore.refs.parsing import parse_ref

Kind = Literal["causal", "masked"]

#: Tokens of a window, and windows of a batch.
WINDOW, BATCH = 128, 8
#: The default number of windows.
WINDOWS = 64
#: The share of a window's tokens that a masked model has to find.
_MASKED = 0.15
#: Targets that don't count.
_IGNORED = -100
_MAX_TEXT = 1 << 26
_ENDINGS: dict[str, Kind] = {
    "ForCausalLM": "causal", "LMHeadModel": "causal", "ForMaskedLM": "masked", "ForPreTraining": "masked",
}  # fmt: skip


def text_task(file: Path, windows: int = WINDOWS, seed: int = 0) -> Callable[[str], Task]:
    """Return the function that makes a task of a model's folder and a text.

    Every window has as many tokens to predict as any other, so that the loss is a mean over windows. A causal model
    predicts each next token, a masked one 15 % of the tokens, chosen by the seed and replaced by its mask.

    Args:
        file: UTF-8 text.
        windows: how many windows of up to 128 tokens are read from its beginning.
        seed: of the masks.

    Raises:
        UsageError: the file can't be read, or has no text.
    """
    try:
        text = read_small(file, _MAX_TEXT).decode("utf-8")
    except OSError as error:
        raise UsageError(f"--text {file}: can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--text {file}: is not UTF-8 text: {error.reason} at byte {error.start}") from error
    if not text.strip():
        raise UsageError(f"--text {file}: has no text")

    def made(ref: str) -> Task:
        folder = _folder(ref)
        kind = _kind(ref, folder)
        model, tokenizer = _loaded(ref, folder, kind)
        return Task(model, _batches(ref, model, tokenizer, text, kind, windows, seed), next_token_loss, token_error)

    return made


def next_token_loss(output: Any, targets: Any) -> Any:
    """Mean cross-entropy in nats over the tokens that count."""
    return cross_entropy(output.logits.flatten(0, 1), targets.flatten(), ignore_index=_IGNORED)


def token_error(output: Any, targets: Any) -> Any:
    """The percentage of these tokens that is not the likeliest one."""
    counts = targets != _IGNORED
    return 100 * (output.logits.argmax(-1) != targets)[counts].double().mean()


def _folder(ref: str) -> Path:
    found = parse_ref(ref)
    if found.missing:
        raise LandscapeError(found.missing)
    if found.source != "folder" or found.path is None or found.adapter is not None:
        raise UsageError(
            f"{ref}: --text takes local folders with a model and its tokenizer: download it, or use --task"
        )
    return found.path


def _kind(ref: str, folder: Path) -> Kind:
    try:
        config = json.loads(read_small(folder / "config.json"))
        names = [str(each) for each in config.get("architectures") or []]
    except (OSError, ValueError, AttributeError) as error:
        raise LandscapeError(f"{ref}: config.json can't be read: {error}") from error
    for name in names:
        for ending, kind in _ENDINGS.items():
            if name.endswith(ending):
                return kind
    said = ", ".join(names) or "none"
    raise LandscapeError(f"{ref}: its architecture is {said}, not a causal or masked language model: use --task")


def _loaded(ref: str, folder: Path, kind: Kind) -> tuple[Any, Any]:
    import transformers

    auto = transformers.AutoModelForCausalLM if kind == "causal" else transformers.AutoModelForMaskedLM
    safe = {"trust_remote_code": False, "local_files_only": True}
    logging = transformers.logging
    before, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        # Attention in plain operations: the fused kernels have no second derivative.
        model, found = auto.from_pretrained(
            str(folder),
            use_safetensors=True,
            output_loading_info=True,
            attn_implementation="eager",
            dtype=torch.float32,
            **safe,
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), **safe)
    except Exception as error:
        reason = " ".join(f"{error}".split())[:300]
        raise LandscapeError(f"{ref}: transformers can't load the model and its tokenizer: {reason}") from error
    finally:
        logging.set_verbosity(before)
        if had_bar:
            logging.enable_progress_bar()
    if lacking := sorted(found["missing_keys"]):
        raise LandscapeError(f"{ref}: the checkpoint has no {lacking[0]}, so no language-model head of its own")
    # A cache of keys and values is no part of the loss.
    model.config.use_cache = False
    return model, tokenizer


def _batches(
    ref: str, model: Any, tokenizer: Any, text: str, kind: Kind, windows: int, seed: int
) -> list[tuple[Any, Any]]:
    longest = getattr(model.config, "max_position_embeddings", None) or WINDOW
    length = min(WINDOW, int(longest))
    wanted = windows * (length + 1)
    ids = tokenizer(text, add_special_tokens=False, truncation=True, max_length=wanted)["input_ids"]
    span = length + (kind == "causal")
    count = min(windows, len(ids) // span)
    if not count:
        raise LandscapeError(f"{ref}: the text has {len(ids)} tokens, and one window {span}: give a longer text")
    rows = torch.tensor(ids[: count * span]).reshape(count, span)
    if int(rows.max()) >= model.get_input_embeddings().weight.shape[0]:
        raise LandscapeError(f"{ref}: the tokenizer has more tokens than the model's embedding: they don't match")
    inputs, targets = (rows[:, :-1], rows[:, 1:]) if kind == "causal" else _masked(ref, rows, tokenizer, seed)
    return list(zip(inputs.split(BATCH), targets.split(BATCH), strict=True))


def _masked(ref: str, rows: Any, tokenizer: Any, seed: int) -> tuple[Any, Any]:
    if tokenizer.mask_token_id is None:
        raise LandscapeError(f"{ref}: its tokenizer has no mask token: use --task")
    generator = torch.Generator().manual_seed(seed)
    count = max(1, round(_MASKED * rows.shape[1]))
    places = torch.rand(rows.shape, generator=generator).argsort(1)[:, :count]
    inputs, targets = rows.clone(), torch.full_like(rows, _IGNORED)
    inputs.scatter_(1, places, tokenizer.mask_token_id)
    targets.scatter_(1, places, rows.gather(1, places))
    return inputs, targets
