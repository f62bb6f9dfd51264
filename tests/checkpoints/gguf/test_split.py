"""Split files, as the package's writer splits them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.checkpoints.gguf.writing import gguf, write
from wqscore.checkpoints.gguf.file import read_gguf
from wqscore.errors import CheckpointError

TENSORS = {f"blk.{n}.attn_q.weight": np.full((2, 3), n, dtype=np.float32) for n in range(5)}


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    write(tmp_path / "model.gguf", TENSORS, parts_of=2, block_count=5, attention__head_count=3)
    found = sorted(tmp_path.glob("*.gguf"))
    assert [path.name for path in found] == [f"model-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    return found


@pytest.mark.parametrize("given", [0, 1, 2])
def test_any_part_gives_the_whole_model(parts: list[Path], given: int) -> None:
    config, tensors, _, _ = read_gguf(parts[given])
    assert config["num_attention_heads"] == 3
    assert {t.name: t.read().tolist() for t in tensors} == {
        f"model.layers.{n}.self_attn.q_proj.weight": [[n] * 3] * 2 for n in range(5)
    }


@pytest.mark.parametrize(("gone", "message"), [((2,), "model-00003-of-00003.gguf is"), ((1, 2), "and 1 more is")])
def test_a_missing_part(parts: list[Path], gone: tuple[int, ...], message: str) -> None:
    for part in gone:
        parts[part].unlink()
    with pytest.raises(CheckpointError, match=rf"00001-of-00003\.gguf: is one of 3 parts; .*{message} not there"):
        read_gguf(parts[0])


def test_a_part_by_another_name(parts: list[Path]) -> None:
    with pytest.raises(CheckpointError, match="is one of 3 parts, but not by its name"):
        read_gguf(parts[0].rename(parts[0].with_name("model.gguf")))


def test_parts_in_the_wrong_place(parts: list[Path]) -> None:
    spare = parts[1].read_bytes()
    parts[1].write_bytes(parts[2].read_bytes())
    parts[2].write_bytes(spare)
    with pytest.raises(CheckpointError, match="does not say that it is part 2 of 3"):
        read_gguf(parts[0])


def test_a_part_of_another_model(parts: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(other / "model.gguf", {name: TENSORS[name] for name in sorted(TENSORS)[::-1]}, parts_of=2)
    parts[2].write_bytes((other / parts[2].name).read_bytes())
    with pytest.raises(CheckpointError, match=r"00003\.gguf: blk\.0\.attn_q\.weight is in model-00001-of-00003"):
        read_gguf(parts[0])


def test_too_few_tensors(parts: list[Path], tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(parts[2], "llama")
    writer.add_uint16("split.no", 2)
    writer.add_uint16("split.count", 3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(CheckpointError, match=r"the parts hold 4 of 5 tensors"):
        read_gguf(parts[0])
