"""What a model's values show by themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import wqscore
from tests.saved_models import saved
from tests.sketches.portraits import portrait
from tests.studies.kin.made import Tensors, family, four_bits, pruned
from wqscore.studies.kin.traits import traits_of

RNG = np.random.default_rng(0)
PLAIN: Tensors = {f"layers.{at}.fc1.weight": RNG.standard_normal((64, 48)).astype("f4") for at in range(3)}
#: As a vocabulary is.
PADDED = np.where(np.arange(64)[:, None] < 60, PLAIN["layers.0.fc1.weight"], 0)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (PLAIN, ()),
        (pruned(PLAIN, 0.3), ("30% of its weights are 0",)),
        (four_bits(PLAIN), ("few distinct values, as of 4 bits or fewer",)),
        # Padding of a vocabulary.
        (
            {**PLAIN, "layers.0.fc1.weight": np.where(np.arange(64)[:, None] < 60, PLAIN["layers.0.fc1.weight"], 0)},
            (),
        ),
        # Signs alone, as of one bit.
        ({name: np.sign(value) for name, value in PLAIN.items()}, ("few distinct values, as of 4 bits or fewer",)),
        # Small matrices tell nothing.
        ({name: value[:9, :9] for name, value in PLAIN.items()}, ()),
    ],
)
def test_what_stands_out(model: Tensors, words: tuple[str, ...]) -> None:
    assert traits_of(portrait(model, directions=False)).words == words


def test_a_gguf_of_codes_is_told_and_related(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    base = family(0, layers=1)["base"]
    names = {
        "attn_q": "attention.self.query",
        "attn_k": "attention.self.key",
        "attn_v": "attention.self.value",
        "attn_output": "attention.output.dense",
        "ffn_up": "intermediate.dense",
        "ffn_down": "output.dense",
    }
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "bert")
    writer.add_block_count(1)
    for short, name in names.items():
        value = base[f"bert.encoder.layer.0.{name}.weight"]
        codes = gguf.quants.quantize(value, gguf.GGMLQuantizationType.Q4_0)
        writer.add_tensor(f"blk.0.{short}.weight", codes, raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = wqscore.kin([saved(tmp_path / "base", base), tmp_path / "model.gguf"], jobs=1)
    assert [each.traits.coded for each in found.models] == [0, 1]
    (pair,) = found.pairs
    assert (pair.verdict, pair.n_matrices) == ("related", 6)
    assert pair.cosine > 0.98
    assert "b: stored as codes of a quantised format" in pair.reason
