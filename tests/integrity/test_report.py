"""An integrity report as text: the findings, and what was examined."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from wqscore.cli.output import show
from wqscore.integrity.checking import Integrity
from wqscore.integrity.checksums import FileCheck
from wqscore.integrity.findings import Finding
from wqscore.integrity.report import (
    integrity_notes,
)
from wqscore.refs.reference import ModelRef

FINDINGS = (
    Finding("a.safetensors", "sha256", 1, "its SHA-256 is 012…, the Hub's abc…: delete it and fetch it again"),
    Finding("h.0.fc1.weight", "nan", 3, "3 of 64 numbers are NaN"),
    Finding("h.0|<b>\x1b[31m.weight", "zero-rows", 2, "2 of 1,024 rows all zero (0, 7)"),
)
FOUND = Integrity(
    ref=ModelRef("org/name", "hub", "org/name"),
    revision="a" * 40,
    findings=FINDINGS,
    examined=1204,
    size=2_500_000,
    unread={"I64": 1, "U8": 12},
    files=(
        FileCheck("a.safetensors", "sha256", FINDINGS[0].detail),
        FileCheck("b.safetensors", "sha256"),
        FileCheck("c.bin", "crc32"),
        FileCheck("d.bin", ""),
    ),
)
SOUND = replace(FOUND, findings=(), examined=1, size=512, unread={}, files=(FileCheck("m.safetensors", ""),))
NOTES = [
    "1,204 tensors examined, 2.5 MB: 2 errors, 1 remark",
    "not examined, because they hold no floating-point numbers: 1 of I64, 12 of U8",
    "a.safetensors: differs from the Hub's SHA-256",
    "b.safetensors: matches the Hub's SHA-256",
    "c.bin: matches its CRC-32",
    "d.bin: no checksum of it is known",
]
SOUND_NOTES = ["1 tensor examined, 512 bytes: 0 errors, 0 remarks", "m.safetensors: no checksum of it is known"]


def test_what_was_examined_in_words() -> None:
    assert integrity_notes(FOUND) == NOTES
    assert integrity_notes(SOUND) == SOUND_NOTES


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    show(FOUND, "table")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "org/name"
    assert lines[1].split() == ["severity", "name", "kind", "detail"]
    assert [line.split()[:3] for line in lines[3:6]] == [
        ["error", "a.safetensors", "sha256"],
        ["error", "h.0.fc1.weight", "nan"],
        ["remark", r"h.0|<b>\x1b[31m.weight", "zero-rows"],
    ]
    assert [line.rstrip().endswith(f.detail) for line, f in zip(lines[3:6], FINDINGS, strict=True)] == [True] * 3
    assert lines[7:] == NOTES


def test_nothing_found_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    show(SOUND, "table")
    assert capsys.readouterr().out.splitlines() == SOUND_NOTES
    assert SOUND.to_markdown().split("\n")[1] == r"- 1 tensor examined, 512 bytes: 0 errors, 0 remarks"
    assert SOUND.to_csv() == "model,severity,name,kind,count,detail\n"


def test_the_csv_has_a_row_per_finding() -> None:
    rows = list(csv.reader(FOUND.to_csv().splitlines()))
    assert rows[0] == ["model", "severity", "name", "kind", "count", "detail"]
    assert rows[1:] == [
        ["org/name", severity, f.name, f.kind, str(f.count), f.detail]
        for severity, f in zip(["error", "error", "remark"], FINDINGS, strict=True)
    ]


def test_the_json_has_everything() -> None:
    document = json.loads(FOUND.to_json())
    assert (document["model"], document["revision"]) == ("org/name", "a" * 40)
    assert (document["errors"], document["remarks"]) == (2, 1)
    assert document["findings"][1] == {
        "severity": "error", "name": "h.0.fc1.weight", "kind": "nan", "count": 3, "detail": "3 of 64 numbers are NaN",
    }  # fmt: skip
    assert document["findings"][2]["name"] == FINDINGS[2].name
    assert (document["tensors_examined"], document["bytes_examined"]) == (1204, 2_500_000)
    assert document["tensors_not_examined"] == {"I64": 1, "U8": 12}
    assert document["files"] == [
        {"file": "a.safetensors", "checksum": "sha256", "verdict": "differs"},
        {"file": "b.safetensors", "checksum": "sha256", "verdict": "same"},
        {"file": "c.bin", "checksum": "crc32", "verdict": "same"},
        {"file": "d.bin", "checksum": None, "verdict": "not known"},
    ]


def test_the_markdown_shows_names_as_they_are() -> None:
    tokens = MarkdownIt().enable("table").parse(FOUND.to_markdown())
    texts = [token.children for token in tokens if token.type == "inline"]
    shown = ["".join(child.content for child in children or []) for children in texts]
    assert shown[:4] == ["severity", "name", "kind", "detail"]
    assert shown[12:16] == ["remark", r"h.0|<b>\x1b[31m.weight", "zero-rows", FINDINGS[2].detail]
    assert shown[16:] == NOTES
    assert not any(child.type.startswith("html") for children in texts for child in children or [])
