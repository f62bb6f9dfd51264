"""The corpus: every attack that is made by code, and sound files, which nothing should be said against."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from tests.attack.attack import Attack, in_file, safetensors
from tests.attack.containers import CONTAINERS, sound_legacy, torch_zip
from tests.attack.folders import FOLDERS
from tests.checkpoints.pytorch.writer import mapping, plain, tensor

ATTACKS: tuple[Attack, ...] = (*CONTAINERS, *FOLDERS)
_KIND = "sound files"

#: Weights and options, as a training script saves them.
_WITH_OPTIONS = b"\x80\x02" + mapping(**{"a.weight": tensor()}, args=plain(Namespace(lr=0.1, layers=[1, 2]))) + b"."
SOUND: tuple[Attack, ...] = (
    Attack(_KIND, "safetensors", in_file("model.safetensors", lambda _: safetensors()), "weights only"),
    Attack(_KIND, "torch's zip file", in_file("pytorch_model.bin", lambda _: torch_zip()), "weights only"),
    Attack(_KIND, "torch's older file", in_file("pytorch_model.bin", lambda _: sound_legacy()), "weights only"),
    Attack(
        _KIND,
        "a training script's options beside the weights",
        in_file("model.ckpt", lambda _: torch_zip(data_pkl=_WITH_OPTIONS)),
        "weights only",
    ),
)


def of_kind(kind: str) -> list[Attack]:
    """The attacks of one kind, or the sound files."""
    return [attack for attack in (*ATTACKS, *SOUND) if attack.kind == kind]


def make(attack: Attack, base: Path) -> tuple[Path, Path]:
    """Write an attack into a new folder of its own.

    Returns:
        What a user would name, and the path that exists only if its code ran.
    """
    folder, mark = base / "model", base / "mark"
    folder.mkdir(parents=True)
    return attack.make(folder, mark), mark
