"""Checkpoints that are missing, damaged, forged or hostile: one line each, and the other models are still ranked."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import pickle
import re
import resource
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save, save_file
from typer.testing import Result

from tests.cli.conftest import toy

Invoke = Callable[..., Result]
_RNG = np.random.default_rng(0)
MATRIX = (_RNG.standard_t(3, (96, 64)) @ _RNG.standard_normal((64, 64)) / 8).astype("f4")
WEIGHTS = save({"fc.weight": MATRIX})
HEADER = '{"fc.weight":{"dtype":"F32","shape":[96,64],"data_offsets":[0,24576]}}'
DATA = MATRIX.tobytes()
INDEX = "model.safetensors.index.json"


def container(header: str | bytes, data: bytes = DATA, length: int | None = None) -> bytes:
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def edited(old: str, new: str) -> bytes:
    assert old in HEADER
    return container(HEADER.replace(old, new))


def index(shard: str) -> bytes:
    return json.dumps({"weight_map": {"fc.weight": shard}}).encode()


def two(first: str, second: str, size: int = 32768) -> bytes:
    entry = '"{}":{{"dtype":"F32","shape":[64,64],"data_offsets":[{}]}}'
    return container("{" + entry.format("a", first) + "," + entry.format("b", second) + "}", bytes(size))


class Writes:
    """Unpickled, it would write a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("echo owned > owned.txt",))


#: The files of a checkpoint folder, and what is said of it.
REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "no weights": ({"config.json": b"{}"}, "no weights"),
    "empty folder": ({}, "no weights"),
    "weights of another kind": ({"tf_model.h5": b"HDF"}, r"only \.h5 weights, which are not read: convert"),
    "a file of torch that is none": ({"model.pt": b"HDF"}, r"model\.pt: is not a file that torch\.save wrote: fetch"),
    "a file of torch that is a GGUF": ({"model.pt": b"GGUF"}, r"model\.pt: .*cut short"),
    "cut GGUF": ({"model.gguf": b"GGUF"}, "cut short"),
    "several files": ({"a.safetensors": WEIGHTS, "b.safetensors": WEIGHTS}, r"several weight files .*name the one"),
    "empty": ({"model.safetensors": b""}, r"is empty or cut short \(0 bytes\): fetch it again"),
    "seven bytes": ({"model.safetensors": WEIGHTS[:7]}, r"is empty or cut short \(7 bytes\)"),
    "cut in the header": ({"model.safetensors": WEIGHTS[:40]}, "cut short, fetch it again"),
    "cut in the weights": ({"model.safetensors": WEIGHTS[:-1]}, r"fc.weight ends at byte \d+, the file at \d+: cut"),
    "bytes after the end": (
        {"model.safetensors": WEIGHTS + b"\0"},
        r"the last tensor ends at byte (\d+), the file at \d+: damaged",
    ),
    "a Git LFS pointer": (
        {"model.safetensors": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"},
        "is a Git LFS pointer, not the weights: fetch it with git lfs pull",
    ),
    "a header of 100 MB": (
        {"model.safetensors": container(HEADER, length=100_000_001)},
        "claims a header of 100000001",
    ),
    "a header of 2^63 bytes": ({"model.safetensors": container(HEADER, length=2**63)}, "claims a header of 92233720"),
    "not JSON": ({"model.safetensors": container("not JSON at all")}, "the header is not valid JSON"),
    "not UTF-8": ({"model.safetensors": container(b'{"\xff":1}')}, "the header is not valid JSON"),
    "half a surrogate pair": ({"model.safetensors": edited("fc.weight", r"\ud800")}, "the header is not valid JSON"),
    "NaN for a size": ({"model.safetensors": edited("[96,64]", "[NaN,64]")}, "is not a list of sizes"),
    "nested deeply": ({"model.safetensors": container('{"a":' + "[" * 100_000)}, "the header is not valid JSON"),
    "a list": ({"model.safetensors": container("[]")}, "the header is not a JSON object"),
    "metadata of numbers": (
        {"model.safetensors": edited('{"fc', '{"__metadata__":{"a":1},"fc')},
        "its __metadata__ does not map names to text",
    ),
    "an entry that is none": ({"model.safetensors": container('{"fc.weight":[1]}')}, "its entry does not consist of"),
    "an unknown key": (
        {"model.safetensors": edited('"dtype"', '"scale":2,"dtype"')},
        "its entry does not consist of",
    ),
    "a name twice": ({"model.safetensors": container(HEADER[:-1] + "," + HEADER[1:])}, "names fc.weight twice"),
    "an unknown dtype": ({"model.safetensors": edited("F32", "F31")}, "tensor fc.weight: unknown dtype 'F31'"),
    "a dtype of another size": (
        {"model.safetensors": edited("F32", "F64")},
        "of F64 takes 49152 bytes, .* give 24576",
    ),
    "a negative size": (
        {"model.safetensors": edited("[96,64]", "[-96,-64]")},
        "shape .-96, -64. is not a list of sizes",
    ),
    "a fractional size": ({"model.safetensors": edited("[96,64]", "[96.0,64]")}, "is not a list of sizes"),
    "a boolean size": ({"model.safetensors": edited("[96,64]", "[true,6144]")}, "is not a list of sizes"),
    "a size beyond 64 bits": ({"model.safetensors": edited("[96,64]", f"[{2**64},64]")}, "is not a list of sizes"),
    "sizes that overflow": (
        {"model.safetensors": edited("[96,64]", f"[{2**62},{2**62}]")},
        r"takes [\d.e+]+ bytes, its data_offsets give 24576",
    ),
    "an empty one of 2^124": (
        {
            "model.safetensors": container(
                f'{{"a":{{"dtype":"F32","shape":[{2**62},{2**62},0],"data_offsets":[0,0]}}}}'
            )
        },
        "larger than any memory",
    ),
    "a hundred dimensions": (
        {"model.safetensors": edited("[96,64]", f"[96,64{',1' * 98}]")},
        "is not a list of sizes",
    ),
    "a shape of a million sizes": (
        {"model.safetensors": edited("[96,64]", f"[96,64{',1' * 1_000_000}]")},
        "is not a list of sizes",
    ),
    "offsets past the end": ({"model.safetensors": edited("[0,24576]", "[4,24580]")}, "ends at byte"),
    "offsets backwards": ({"model.safetensors": edited("[0,24576]", "[24576,0]")}, "its data_offsets give -24576"),
    "three offsets": ({"model.safetensors": edited("[0,24576]", "[0,24576,1]")}, "are not two positions"),
    "overlapping": ({"model.safetensors": two("0,16384", "16380,32764")}, "tensor b overlaps another tensor"),
    "the same bytes": ({"model.safetensors": two("0,16384", "0,16384")}, "overlaps another tensor"),
    "a gap": ({"model.safetensors": two("0,16384", "16388,32772", 32772)}, "b leaves a gap"),
    "an index that is not JSON": ({INDEX: b"{"}, "is not a shard index with a weight_map"),
    "an index without a map": ({INDEX: b'{"metadata":{}}'}, "is not a shard index with a weight_map"),
    "an index with an empty map": ({INDEX: b'{"weight_map":{}}'}, "its weight_map names no tensors"),
    "a missing shard": (
        {INDEX: index("model-1.safetensors")},
        "names the shard model-1.safetensors, which is not there",
    ),
    "a shard above": ({INDEX: index("../good/model.safetensors")}, "outside the checkpoint's folder: refused"),
    "a shard by its full path": ({INDEX: index("/etc/passwd")}, "outside the checkpoint's folder: refused"),
    "a shard with a backslash": ({INDEX: index("..\\x.safetensors")}, "outside the checkpoint's folder: refused"),
    "a shard that is the folder": ({INDEX: index("..")}, "outside the checkpoint's folder: refused"),
    "a shard without its tensor": (
        {INDEX: json.dumps({"weight_map": {"x": "a.safetensors"}}).encode(), "a.safetensors": WEIGHTS},
        "a.safetensors: lacks x, which model.safetensors.index.json puts there",
    ),
    "a tensor in two shards without an index": (
        {f"model-0000{i}-of-00002.safetensors": WEIGHTS for i in (1, 2)},
        "fc.weight is in model-00001-of-00002.safetensors too, and there is no index that says which is meant",
    ),
    "shards missing without an index": (
        {"model-00001-of-00003.safetensors": WEIGHTS, "model-00003-of-00003.safetensors": WEIGHTS},
        "has 2 of 3 shards and no index: fetch the rest",
    ),
    "a configuration that is not JSON": (
        {"model.safetensors": WEIGHTS, "config.json": b"{'a': 1}"},
        "config.json: is not valid JSON",
    ),
    "a configuration that is a list": (
        {"model.safetensors": WEIGHTS, "config.json": b"[1]"},
        "config.json: is not a JSON object",
    ),
    "a configuration of 5,000 digits": (
        {"model.safetensors": WEIGHTS, "config.json": b'{"hidden_size":' + b"9" * 5000 + b"}"},
        "config.json: is not valid JSON",
    ),
    "a pickle that runs a command": (
        {"pytorch_model.bin": pickle.dumps({"fc.weight": Writes()}, 2)},
        r"pytorch_model.bin: .*(posix|os|nt)[. ]system",
    ),
    "a pickle of nothing": ({"pytorch_model.bin": b""}, "pytorch_model.bin: is empty"),
    "not a pickle": ({"pytorch_model.bin": b"hello world, hello"}, "is not a file that torch.save wrote"),
}


def build(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def check_refused(done: Result, words: str) -> None:
    """The bad model is complained of in one line, by name; the good one has its rank."""
    assert done.exit_code == 3, done.output
    assert isinstance(done.exception, SystemExit)
    # The last line is the ranking's conclusion, which counts the model among those left out.
    line, conclusion = done.stderr.splitlines()
    assert re.match(rf"wqscore: bad\b.*{words}", line), line
    assert re.match(r"good is alone .* 1 model could not be scored \(bad[:/]", conclusion), conclusion
    assert len(line) < 500
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["model"], row["status"]) for row in rows] == [("good", "ranked"), ("bad", "failed")]
    assert rows[1]["reason"] == line.removeprefix("wqscore: ")


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_is_named_and_the_rest_is_ranked(kind: str, invoke: Invoke) -> None:
    files, words = REFUSED[kind]
    build(Path("bad"), files)
    toy(Path("good"))
    check_refused(invoke("rank", "bad", "good", "--no-report", "--format", "csv", "-q"), words)
    assert not Path("owned.txt").exists()


@pytest.mark.parametrize(
    ("file", "make", "words"),
    [
        ("model.safetensors", Path.mkdir, "/model.safetensors: is not a file"),
        ("pytorch_model.bin", Path.mkdir, "/pytorch_model.bin: is not a file"),
        ("model.safetensors", os.mkfifo, "/model.safetensors: is not a file"),
        ("pytorch_model.bin", os.mkfifo, "/pytorch_model.bin: is not a file"),
        (INDEX, os.mkfifo, f"/{INDEX}: is not a file"),
        ("model.safetensors", partial(Path.symlink_to, target="gone"), "is a link to a file that is not there"),
        ("model.safetensors", partial(Path.symlink_to, target="/dev/zero"), "/model.safetensors: is not a file"),
        ("model.safetensors", partial(Path.symlink_to, target="model.safetensors"), "can't be read: Too many levels"),
    ],
)
def test_what_is_not_a_file(file: str, make: Callable[[Path], None], words: str, invoke: Invoke) -> None:
    Path("bad").mkdir()
    make(Path("bad") / file)
    toy(Path("good"))
    check_refused(invoke("rank", "bad", "good", "--no-report", "--format", "csv", "-q"), words)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, partial(Path.symlink_to, target="gone")])
def test_a_configuration_that_is_not_a_file(make: Callable[[Path], None], invoke: Invoke) -> None:
    build(Path("bad"), {"model.safetensors": WEIGHTS})
    make(Path("bad/config.json"))
    toy(Path("good"))
    check_refused(invoke("rank", "bad", "good", "--no-report", "--format", "csv", "-q"), "/config.json: is ")


def test_odd_numbers_in_a_configuration_are_no_matter(invoke: Invoke) -> None:
    config = {
        "model_type": 7,
        "hidden_size": 10**300,
        "num_attention_heads": -3,
        "tie_word_embeddings": "yes",
        "x": 1,
    }
    build(Path("odd"), {"model.safetensors": WEIGHTS, "config.json": json.dumps(config).encode()})
    build(Path("inf"), {"model.safetensors": WEIGHTS, "config.json": b'{"num_attention_heads": 1e999, "a": NaN}'})
    done = invoke("rank", "odd", "inf", "--no-report", "--format", "json")
    assert done.exit_code == 0, done.output
    json.loads(done.stdout, parse_constant=pytest.fail)


def test_names_with_escapes_and_line_breaks_stay_in_their_line(invoke: Invoke) -> None:
    evil = "\x1b[31m\n\u202efc\x07.weight"
    build(Path("named"), {"model.safetensors": save({evil: MATRIX, "a.weight": MATRIX.astype("i1")})})
    config = b'{"quantization_config": {"quant_method": "\\u001b[2J\\nx\\ud800"}, "model_type": "\\ud800"}'
    (Path("named") / "config.json").write_bytes(config)
    for command in ("score", "describe"):
        shown = invoke(command, "named", "-q") if command == "score" else invoke(command, "named")
        assert shown.exit_code == 0, shown.output
        assert r"\x1b[31m\n\u202efc\x07.weight" in shown.stdout
        assert all(line.isprintable() for line in shown.stdout.splitlines())
    Path("bad").mkdir()
    (Path("bad") / "model.safetensors").write_bytes(container(json.dumps({evil: 1})))
    done = invoke("score", "bad")
    assert done.exit_code == 3
    assert r"\x1b[31m\n" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    done = invoke("rank", "named", "bad", "--out", "report", "--format", "csv")
    assert done.exit_code == 3
    with Path("report/layers.csv").open(encoding="utf-8", newline="") as file:
        assert {row["name"] for row in csv.DictReader(file)} == {evil, "a.weight"}
    assert json.loads(Path("report/ranking.json").read_text(encoding="utf-8"))["models"][1]["status"] == "failed"


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for part in value for number in numbers(part)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize("preset", ["default", "ww-0.7"])
def test_no_number_that_is_none_ever_comes_out(invoke: Invoke, preset: str) -> None:
    scaled = {f"layers.{i}.fc.weight": MATRIX.astype("f8") * 10.0**i for i in range(-320, 310, 45)}
    with np.errstate(all="ignore"):
        odd = {
            "a.weight": np.full((96, 64), np.nan, "f4"),
            "b.weight": np.where(MATRIX > 5, np.inf, MATRIX),
            "c.weight": np.zeros((96, 64), "f4"),
            "d.weight": np.ones((96, 64), "f4"),
            "e.weight": np.eye(64, dtype="f2") * 60000,
            "f.weight": np.outer(MATRIX[0], MATRIX[1]),
            "g.weight": np.full((64, 64), np.finfo("f4").max),
            "h.weight": np.full((64, 64), np.finfo("f4").smallest_subnormal),
            "i.weight": np.ones((1, 1), "f4"),
            "j.weight": np.ones((1, 500), "f4"),
            "k.weight": np.empty((0, 64), "f4"),
            "l.weight": MATRIX.reshape(32, 64, 3),
        }
    Path("odd").mkdir()
    save_file({**scaled, **odd}, "odd/model.safetensors")
    done = invoke("rank", "odd", "--no-report", "--preset", preset, "--format", "json")
    assert done.exit_code == 0, done.output
    found = numbers(json.loads(done.stdout, parse_constant=pytest.fail))
    assert found
    assert all(map(math.isfinite, found))
    ranking = invoke("rank", "odd", "--no-report", "--preset", preset, "--format", "csv").stdout
    layers = invoke("score", "odd", "--preset", preset, "--format", "csv").stdout
    for row in csv.reader(io.StringIO(ranking + layers)):
        assert not {"nan", "inf", "-inf", "NaN", "Infinity"} & set(row)
    verdicts = {row["name"]: row["verdict"] for row in csv.DictReader(io.StringIO(layers))}
    assert {verdicts["a.weight"], verdicts["b.weight"]} == {"non-finite"}
    assert verdicts["c.weight"] == "zero"
    # The reference tool's floor is absolute: small weights have nothing above it. It draws nothing, and 14 % of 2,000
    # draws are not clearly above the limit of 10 %.
    small, large = ("undecided", "undecided") if preset == "default" else ("degenerate", "unstable")
    assert (verdicts["layers.-5.fc.weight"], verdicts["layers.40.fc.weight"]) == (small, large)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rank"], "no model given"),
        (["rank", ""], "an empty model name"),
        (["rank", "bret-base"], "no model called 'bret-base': did you mean bert-base"),
        (["rank", "./nowhere"], "no such folder or file: ./nowhere"),
        (["rank", "./nowhere", "nowhere.safetensors"], "no such folder or file: ./nowhere"),
        (["rank", "good", "--by", "alpah"], "no metric called 'alpah': did you mean alpha"),
        (["rank", "good", "--preset", "ww"], "no preset called 'ww': did you mean ww-0.7"),
        (["score", "good", "--preset", "ww"], "no preset called 'ww'"),
        (["describe", "good", "--preset", "ww"], "no preset called 'ww'"),
        (["rank", "good", "--format", "xml"], "no 'xml' (--format): choose from table, csv, json, md"),
        (["rank", "good", "--jobs", "0"], "--jobs should be greater than or equal to 1 (wqscore rank): see"),
        (["score", "good", "--jobs", "1000000"], "--jobs"),
        (["score", "good", "--seed", "-1"], "--seed"),
        (["score", "good", "--jobs", "two"], "--jobs"),
        (["rank", "good", "--out", "a file"], "a file"),
        (["score", "good", "--out", "a file/below"], "a file: is not a folder"),
        (["rank", "good", "--out", "n" * 300], "can't be made: File name too long"),
        (["rank", "good", "--out", "x", "--no-report"], "--out and --no-report exclude each other"),
        (["rank", "--list", "empty.toml"], "empty.toml: names no models"),
        (["rank", "--list", "unknown.toml"], "unknown.toml: model 1: unknown key 'licenses': did you mean licence"),
        (["rank", "--list", "nowhere.toml"], "No such file"),
        (["rank", "--list", "brt"], "no model list called 'brt': did you mean bert"),
        (["score"], "REF is missing (wqscore score): see wqscore score --help"),
        (["score", "good", "good"], "score takes one model; use rank for several"),
        (
            ["plot", "good", "good", "--out", "x.svg"],
            "--chart spectrum takes one model; use --chart depth for several",
        ),
        (["metrics", "alpha", "D"], "D is one argument too many (wqscore metrics): see wqscore metrics --help"),
        (["score", "good", "--sed", "3"], "no option --sed (wqscore score): did you mean --seed?"),
        (["rank", "good", "--format", "jsn"], "no 'jsn' (--format): did you mean json?"),
        (["score", "good", "--seed"], "--seed"),
        (["store", "inf"], "no command inf (wqscore store): did you mean info?"),
        (["score", "good", "--by", "alpha"], "no option --by (wqscore score): see wqscore score --help"),
        (["socre", "good"], "no command socre (wqscore): did you mean store?"),
        (["rnk", "good"], "no command rnk (wqscore): did you mean rank?"),
    ],
)
def test_wrong_usage_is_two_and_scores_nothing(arguments: list[str], words: str, invoke: Invoke) -> None:
    toy(Path("good"))
    Path("a file").write_text("")
    Path("empty.toml").write_text("")
    Path("unknown.toml").write_text('[[models]]\nid = "./good"\nlicenses = "mit"\n')
    before = sorted(Path().rglob("*"))
    done = invoke(*arguments)
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit)
    (line,) = done.stderr.splitlines()
    assert line.startswith("wqscore: ") and words in line
    assert done.stdout == ""
    assert sorted(Path().rglob("*")) == before


def test_an_epoch_that_is_no_number_is_told_before_anything_is_scored(invoke: Invoke) -> None:
    toy(Path("good"))
    for command in (["rank", "good", "--out", "x"], ["score", "good", "--format", "json"]):
        done = invoke(*command, SOURCE_DATE_EPOCH="yesterday")
        assert done.exit_code == 2
        assert done.stderr == (
            "wqscore: SOURCE_DATE_EPOCH is 'yesterday': give whole seconds since 1970, or unset it\n"
        )


def limit_files_to_256_kb() -> None:
    """Less than the page takes, and more than compiled code that is kept on disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**18, 2**18))


@pytest.mark.parametrize("command", ["rank", "score"])
def test_a_report_that_does_not_fit_costs_no_score_and_leaves_nothing(
    command: str, wqscore: Callable[..., Any], tmp_path: Path
) -> None:
    toy(tmp_path / "good")
    done = wqscore(command, "good", "--out", "new/report", "-q", preexec_fn=limit_files_to_256_kb)
    assert done.returncode == 3
    assert "layers.0.fc1.weight" in done.stdout or "  good  " in done.stdout
    assert done.stderr == (
        "wqscore: new/report: the report can't be written: File too large: name another folder with --out\n"
    )
    assert not (tmp_path / "new/report").exists()
