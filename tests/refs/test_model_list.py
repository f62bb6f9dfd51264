"""The shipped lists, and users' lists."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from huggingface_hub.utils import validate_repo_id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wqscore
from tests.examples import examples
from wqscore.errors import UsageError
from wqscore.refs.model_list import ListedModel, ModelList, aliases, find_listed, list_names, load_list
from wqscore.refs.parsing import parse_ref

SHIPPED = [load_list(name) for name in list_names()]
MODELS = [model for shipped in SHIPPED for model in shipped.models]


def test_the_shipped_families():
    wanted = "bert roberta distilbert albert electra deberta gpt2 gpt-neo pythia opt bloom qwen2.5 qwen3"
    wanted += " llama mistral phi gemma falcon t5 vit deit clip whisper smollm sentence-transformers"
    assert set(wanted.split()) <= set(list_names())
    assert list(list_names()) == sorted(list_names())


@pytest.mark.parametrize("shipped", SHIPPED, ids=list_names())
def test_a_shipped_list_is_complete(shipped):
    """Ids, counts, licences and years are facts; none of them can be looked up without a network.

    How they were checked when they were written: every id was found in the model tables of published
    packages (transformers, TransformerLens, LitGPT, MTEB) or in public code that loads it. Exact counts were
    recomputed from the architectures (below, and for CLIP and Gemma with transformers); rounded ones are
    those of papers and model cards. Licences were compared with stored copies of the Hub's pages or with
    MTEB's and open-llms' tables for about half of the families, and agreed; the rest are not looked up.
    """
    assert shipped.title
    assert shipped.family
    assert shipped.source.startswith("https://")
    for model in shipped.models:
        validate_repo_id(model.id)
        assert model.id.count("/") == 1
        assert model.aliases
        assert model.parameters > 0
        assert 2017 <= model.year <= 2026
        assert model.family
        assert model.licence is None or re.fullmatch(r"[a-z0-9.-]+", model.licence)
        assert model.revision is None


def test_aliases_are_unique_and_can_be_typed():
    every = [alias for model in MODELS for alias in model.aliases]
    assert len(every) == len(set(every))
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", alias) for alias in every)
    assert len({model.id.lower() for model in MODELS}) == len(MODELS)
    assert len({shipped.name for shipped in SHIPPED}) == len(SHIPPED)
    assert tuple(shipped.name for shipped in SHIPPED) == list_names()


def test_every_alias_leads_to_its_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = aliases()
    assert {parse_ref(alias).repo for alias in table} == {model.id for model in MODELS}
    for model in MODELS:
        assert {parse_ref(alias).repo for alias in model.aliases} == {model.id}


# Layers and width, and for Pythia the vocabulary.
GPT2 = {"gpt2": (12, 768), "gpt2-medium": (24, 1024), "gpt2-large": (36, 1280), "gpt2-xl": (48, 1600)}
PYTHIA = {
    **{"14m": (6, 128, 50304), "31m": (6, 256, 50304), "70m": (6, 512, 50304), "160m": (12, 768, 50304)},
    **{"410m": (24, 1024, 50304), "1b": (16, 2048, 50304), "1.4b": (24, 2048, 50304)},
    **{"2.8b": (32, 2560, 50304), "6.9b": (32, 4096, 50432), "12b": (36, 5120, 50688)},
}
BLOOM = {
    **{"bloom-560m": (24, 1024), "bloom-1b1": (24, 1536), "bloom-1b7": (24, 2048), "bloom-3b": (30, 2560)},
    **{"bloom-7b1": (30, 4096), "bloom": (70, 14336)},
}


def _blocks(layers: int, width: int) -> int:
    """Attention and feed-forward matrices and biases of every layer, its two norms, and the last norm."""
    return layers * (12 * width**2 + 13 * width) + 2 * width


def test_exact_counts_follow_from_the_architecture():
    for name, (layers, width) in GPT2.items():
        embeddings = (50257 + 1024) * width
        assert find_listed(f"openai-community/{name}").parameters == _blocks(layers, width) + embeddings
    for name, (layers, width, vocabulary) in PYTHIA.items():
        embeddings = 2 * vocabulary * width
        assert find_listed(f"EleutherAI/pythia-{name}").parameters == _blocks(layers, width) + embeddings
    for name, (layers, width) in BLOOM.items():
        embeddings = 250880 * width + 2 * width
        assert find_listed(f"bigscience/{name}").parameters == _blocks(layers, width) + embeddings


def test_counts_agree_with_the_size_in_the_name():
    scale = {"m": 1e6, "b": 1e9}
    sizes = {model: re.search(r"(?<![\w.])(\d+(?:\.\d+)?)([mb])(?!\w)", model.id.lower()) for model in MODELS}
    named = {model: float(size[1]) * scale[size[2]] for model, size in sizes.items() if size}
    assert len(named) > 100
    assert [m.id for m, size in named.items() if not 0.75 < m.parameters / size < 1.35] == []


def test_finding_a_listed_model():
    listed = find_listed("openai-community/gpt2")
    assert (listed.family, listed.parameters, listed.year) == ("gpt2", 124_439_808, 2019)
    assert find_listed("OpenAI-Community/GPT2") is listed
    assert find_listed("google/gemma-2-2b").family == "gemma-2"
    assert find_listed("nobody/nothing") is None
    assert find_listed("gpt2") is None


def test_the_lists_are_read_from_inside_an_archive(tmp_path):
    """As package data, where the wheel has them, and not as files beside the source."""
    root = Path(wqscore.__path__[0])
    lists = root.parent / "model_lists"
    archive = tmp_path / "wqscore.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        of_refs = (path.relative_to(root).as_posix() for path in (root / "refs").glob("*.py"))
        for file in ["errors.py", "escaping.py", *of_refs]:
            stream.write(root / file, f"wqscore/{file}")
        for file in lists.iterdir():
            stream.write(file, f"wqscore/data/model_lists/{file.name}")
        stream.writestr("wqscore/__init__.py", "")
    code = (
        "from wqscore.refs.model_list import list_names, load_list, __file__ as file\n"
        "from wqscore.refs.parsing import parse_ref\n"
        "print('wqscore.zip' in file, len(list_names()), load_list('gpt2').title, parse_ref('gpt2').repo)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(archive)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"True {len(SHIPPED)} GPT and GPT-2 openai-community/gpt2\n"


FULL = """
[list]
name = "nightly"
title = "Nightly candidates"
family = "bert"
source = "https://example.org/nightly"

[[models]]
id = "google-bert/bert-base-uncased"
revision = "refs/pr/1"
aliases = ["base", "b"]
parameters = 110_000_000
licence = "apache-2.0"
year = 2018

[[models]]
id = "google-bert/bert-base-uncased"
family = "other"
"""


def test_a_list_of_ones_own(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(FULL)
    base = "google-bert/bert-base-uncased"
    first = ListedModel(base, ("base", "b"), 110_000_000, "apache-2.0", 2018, "bert", "refs/pr/1")
    second = ListedModel(base, family="other")
    source = "https://example.org/nightly"
    assert load_list(str(file)) == ModelList("nightly", "Nightly candidates", "bert", (first, second), source)
    assert (first.ref, second.ref) == (f"{base}@refs/pr/1", base)


def test_the_shortest_list(tmp_path):
    file = tmp_path / "short one.toml"
    file.write_bytes(b'\xef\xbb\xbf[[models]]\r\nid = "bert-base"\r\n')
    assert load_list(str(file)) == ModelList("short one", "short one", None, (ListedModel("bert-base"),))


def test_paths_are_relative_to_the_lists_own_folder(tmp_path, monkeypatch):
    (tmp_path / "lists" / "org" / "run@2").mkdir(parents=True)
    (tmp_path / "model.bin").write_bytes(b"")
    text = '[[models]]\nid = "./org/run@2"\n[[models]]\nid = "../model.bin"\n[[models]]\nid = "org/run"\n'
    (tmp_path / "lists" / "mine.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    for where in ("lists/mine.toml", "./lists/mine.toml", str(tmp_path / "lists" / "mine.toml")):
        folder, file, hub = (parse_ref(model.ref) for model in load_list(where).models)
        assert (folder.source, folder.path.samefile(tmp_path / "lists" / "org" / "run@2")) == ("folder", True)
        assert (file.source, file.path.samefile(tmp_path / "model.bin")) == ("file", True)
        assert (hub.source, hub.repo) == ("hub", "org/run")
    monkeypatch.chdir(tmp_path / "lists")
    assert [model.ref for model in load_list("mine.toml").models] == [
        "./org/run@2",
        "./../model.bin",
        "org/run",
    ]


ONE = '[[models]]\nid = "org/name"\n'
TWO = '[[models]]\nid = "org/other"\n'
PINNED = ONE + 'revision = "a"\n'
PATH_KEYS = "known are aliases, family, id, licence, parameters, revision, year"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "names no models: add a [[models]] table with an id"),
        ("models = []", "names no models: add a [[models]] table with an id"),
        ('[list]\nname = "x"\n', "names no models: add a [[models]] table with an id"),
        ("[[models]]\nyear = 2020", 'model 1: has no id: write id = "org/name" or the path of a folder'),
        ("models = [1]", "model 1: must be a [[models]] table"),
        ("models = 3", "models must be an array"),
        ("list = 3\n" + ONE, "list must be a table"),
        ("[[model]]\n" + ONE, "unknown key 'model': did you mean models?"),
        ("qqq = 1\n" + ONE, "unknown key 'qqq': known are list, models"),
        ('[list]\ntitel = "x"\n' + ONE, "[list]: unknown key 'titel': did you mean title?"),
        ("[list]\nname = 3\n" + ONE, "[list]: name must be a non-empty string"),
        ('[list]\nname = "../x"\n' + ONE, "[list]: name takes letters, digits, spaces, . _ + -, not '../x'"),
        (ONE + 'license = "mit"', "model 1: unknown key 'license': did you mean licence?"),
        (
            ONE + TWO + "params = 1",
            "model 2: unknown key 'params': did you mean parameters?",
        ),
        (ONE + "zzz = 1", f"model 1: unknown key 'zzz': {PATH_KEYS}"),
        (ONE + '"a\\nb" = 1', rf"model 1: unknown key 'a\nb': {PATH_KEYS}"),
        (ONE + 'parameters = "110M"', "model 1: parameters must be a whole number above 0"),
        (ONE + "parameters = 1.5e9", "model 1: parameters must be a whole number above 0"),
        (ONE + "parameters = true", "model 1: parameters must be a whole number above 0"),
        (ONE + "parameters = 0", "model 1: parameters must be a whole number above 0"),
        (ONE + "year = 2020-01-01", "model 1: year must be a whole number above 0"),
        (ONE + 'licence = " "', "model 1: licence must be a non-empty string"),
        (ONE + "licence = 0x" + "f" * 9000, "model 1: licence must be a non-empty string"),
        (ONE + 'aliases = "x"', "model 1: aliases must be an array"),
        (ONE + 'aliases = ["x", 3]', "model 1: aliases must be non-empty strings"),
        (ONE + 'aliases = [""]', "model 1: aliases must be non-empty strings"),
        (ONE + ONE, "model 2: 'org/name' is listed twice: remove one"),
        (
            ONE + 'revision = "a"\n' + ONE + 'revision = "a"',
            "model 2: 'org/name@a' is listed twice: remove one",
        ),
        (
            '[[models]]\nid = "org/name@main"',
            'model 1: id holds a revision: write revision = "…" as its own key',
        ),
        ('[[models]]\nid = "./x"\nrevision = "a"', "model 1: a folder has no revision: leave the key out"),
    ],
)
def test_what_a_list_can_get_wrong(tmp_path, content, message):
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(UsageError) as raised:
        load_list(str(file))
    assert str(raised.value) == f"{file}: {message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[list", "is not valid TOML: "),
        (b"[[models]]\nid = 'a'\nid = 'b'\n", "is not valid TOML: "),
        (b"models = " + b"[" * 5000, "is not valid TOML: "),
        (ONE.encode() + b"year = " + b"9" * 5000, "is not valid TOML: "),
        (b"\xff\xfe[\x00l\x00", "is not UTF-8 text: save it as UTF-8"),
    ],
)
def test_what_is_not_toml(tmp_path, content, message):
    file = tmp_path / "mine.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError) as raised:
        load_list(str(file))
    assert str(raised.value).startswith(f"{file}: {message}")
    assert len(str(raised.value).splitlines()) == 1


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir.toml").mkdir()
    reasons = {
        "nowhere.toml": "No such file or directory",
        "dir.toml": "Is a directory",
        "./dir.toml/x": "No such file or directory",
        "a\0.toml": "no such file",
        "~no-such-person/x.toml": "no such file",
    }
    for text, reason in reasons.items():
        with pytest.raises(UsageError) as raised:
            load_list(text)
        assert str(raised.value) == f"{text!r}: {reason}: a model list is a .toml file"


def test_an_unknown_list_name():
    with pytest.raises(UsageError) as raised:
        load_list("pithia")
    assert str(raised.value) == (
        "no model list called 'pithia': did you mean pythia, phi? (your own list needs a path that ends in .toml)"
    )
    with pytest.raises(UsageError, match="no model list called 'zzzz': known are albert, bart, bert, "):
        load_list("zzzz")


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60) | st.text('[]modelsidlist="./@\n,{}1', max_size=60).map(str.encode))
def test_any_file_is_a_list_or_one_line_of_refusal(tmp_path, data):
    file = tmp_path / "mine.toml"
    file.write_bytes(data)
    try:
        assert load_list(str(file)).models
    except UsageError as error:
        assert str(error).startswith(f"{file}: ")
        assert len(str(error).splitlines()) == 1
