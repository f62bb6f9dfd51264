"""References as users type them: literal tables, and huggingface_hub's own rules as the oracle."""

import os
import re
import string
from pathlib import Path

import pytest
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.errors import CheckpointError, UsageError
from wqscore.refs.parsing import is_repo_id, parse_ref
from wqscore.refs.weight_names import TORCH_SUFFIXES, WEIGHT_SUFFIXES, container_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A working directory with folders and files of every kind a person might name."""
    (tmp_path / "home" / "kept").mkdir(parents=True)
    folders = ["run", "own/local", "roberta-base", "with space", "modèle", "odd@name", "dir.bin", ".hidden"]
    files = ["model.safetensors", "weights.bin", "config.json", "x.gguf", "x.pt", "x.txt", "gpt2", "a+b.bin"]
    for folder in folders:
        (tmp_path / "work" / folder).mkdir(parents=True)
    for file in [*files, "run/model.safetensors.index.json"]:
        (tmp_path / "work" / file).write_bytes(b"")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("text", "repo", "revision"),
    [
        ("org/name", "org/name", None),
        ("Org-1/na_me.v2", "Org-1/na_me.v2", None),
        ("org/name@main", "org/name", "main"),
        ("org/name@v1.0", "org/name", "v1.0"),
        (f"org/name@{COMMIT}", "org/name", COMMIT),
        ("org/name@refs/pr/10", "org/name", "refs/pr/10"),
        ("org/name@feature/x", "org/name", "feature/x"),
        ("org/name@a@b", "org/name", "a@b"),
        ("https://huggingface.co/org/name", "org/name", None),
        ("https://huggingface.co/org/name/", "org/name", None),
        ("https://huggingface.co/org/name/tree/main", "org/name", "main"),
        ("https://huggingface.co/org/name/tree/main/", "org/name", "main"),
        ("https://huggingface.co/org/name/tree/refs%2Fpr%2F3", "org/name", "refs/pr/3"),
        (f"https://huggingface.co/org/name/tree/{COMMIT}", "org/name", COMMIT),
        ("https://huggingface.co/org/name?library=transformers", "org/name", None),
        ("http://hf.co/org/name", "org/name", None),
        ("hf.co/org/name", "org/name", None),
        ("huggingface.co/org/name", "org/name", None),
        ("hf://org/name", "org/name", None),
        ("hf://models/org/name", "org/name", None),
        ("hf://models/org/name@v1", "org/name", "v1"),
        ("hf://org/name@refs/pr/10", "org/name", "refs/pr/10"),
        ("bert-base", "google-bert/bert-base-uncased", None),
        ("bert-base@v1", "google-bert/bert-base-uncased", "v1"),
        ("bert-base-uncased", "google-bert/bert-base-uncased", None),
        ("bert-large-cased", "google-bert/bert-large-cased", None),
        ("roberta-large", "FacebookAI/roberta-large", None),
        ("xlm-roberta-base", "FacebookAI/xlm-roberta-base", None),
        ("distilbert-base-uncased", "distilbert/distilbert-base-uncased", None),
        ("distilroberta-base", "distilbert/distilroberta-base", None),
        ("distilgpt2", "distilbert/distilgpt2", None),
        ("albert-base-v2", "albert/albert-base-v2", None),
        ("gpt2-xl", "openai-community/gpt2-xl", None),
        ("openai-gpt", "openai-community/openai-gpt", None),
        ("t5-small", "google-t5/t5-small", None),
        ("xlnet-base-cased", "xlnet/xlnet-base-cased", None),
        ("Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B", None),
        # A file that can't be read as a model does not hide the alias of the same name.
        ("gpt2", "openai-community/gpt2", None),
        ("roberta-base@main", "FacebookAI/roberta-base", "main"),
    ],
)
def test_hub_models(desk, text, repo, revision):
    ref = parse_ref(text)
    assert (ref.text, ref.source, ref.repo, ref.revision, ref.path) == (text, "hub", repo, revision, None)
    assert ref.label == (repo if revision is None else f"{repo}@{revision}")


@pytest.mark.parametrize(
    ("text", "source", "path"),
    [
        ("run", "folder", "run"),
        ("./run", "folder", "run"),
        ("run/", "folder", "run"),
        (".", "folder", "."),
        ("..", "folder", ".."),
        ("../work/run", "folder", "../work/run"),
        (".hidden", "folder", ".hidden"),
        ("own/local", "folder", "own/local"),
        ("roberta-base", "folder", "roberta-base"),
        ("with space", "folder", "with space"),
        ("modèle", "folder", "modèle"),
        ("odd@name", "folder", "odd@name"),
        ("dir.bin", "folder", "dir.bin"),
        ("model.safetensors", "file", "model.safetensors"),
        ("./weights.bin", "file", "weights.bin"),
    ],
)
def test_models_on_disk(desk, text, source, path):
    ref = parse_ref(text)
    assert (ref.text, ref.source, ref.repo, ref.revision, ref.path) == (text, source, None, None, Path(path))
    assert ref.label == text


@pytest.mark.parametrize(
    ("text", "repo", "revision", "file"),
    [
        ("lab/name/model-Q4_K_M.gguf", "lab/name", None, "model-Q4_K_M.gguf"),
        ("lab/name/onnx/model.onnx@v1", "lab/name", "v1", "onnx/model.onnx"),
        ("hf://org/name@v1/sub/x.gguf", "org/name", "v1", "sub/x.gguf"),
        ("https://huggingface.co/org/name/blob/main/x.safetensors", "org/name", "main", "x.safetensors"),
    ],
)
def test_one_file_of_a_repository(desk, text, repo, revision, file):
    ref = parse_ref(text)
    assert (ref.source, ref.repo, ref.revision, ref.file) == ("hub", repo, revision, file)
    assert ref.label == f"{repo}/{file}" + (f"@{revision}" if revision else "")


@pytest.mark.parametrize("text", ["run/sub/x.gguf", "own/local/../x.gguf", "./org/name/x.gguf", "/org/name/x.gguf"])
def test_a_path_that_is_not_there_is_no_repository(desk, text):
    assert "no such folder or file" in parse_ref(text).missing


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("own/locl", "no folder own/locl; did you mean own/local?"),
        ("run/rxnfp-bert_ftt", "no folder run/rxnfp-bert_ftt; did you mean run/rxnfp-bert_ft?"),
        ("own/local@main", "no folder own/local@main; did you mean own/local?"),
        ("own/zzz", "no folder own/zzz; own is a folder here: for the Hub's write hf://own/zzz"),
        ("own/a/b", "no folder own/a/b; own is a folder here: for the Hub's write hf://own/a/b"),
    ],
)
def test_a_path_inside_a_folder_never_goes_to_the_hub(desk, text, reason):
    (desk / "run" / "rxnfp-bert_ft").mkdir()
    (desk / "run" / "rxnfp-bert_ft_10k_25s").mkdir()
    ref = parse_ref(text)
    assert (ref.source, ref.repo, ref.missing, ref.label) == ("folder", None, reason, text)
    assert parse_ref("hf://own/local").repo == "own/local"


@pytest.mark.parametrize(
    ("text", "base", "adapter"),
    [
        ("org/name+lab/adapter", "org/name", "lab/adapter"),
        ("org/name@v1+lab/adapter@v2", "org/name@v1", "lab/adapter@v2"),
        ("bert-base+./run", "google-bert/bert-base-uncased", "./run"),
        ("./run+~/kept", "./run", "~/kept"),
        ("a+b.bin+run", "a+b.bin", "run"),
    ],
)
def test_a_base_and_an_adapter(desk, text, base, adapter):
    ref = parse_ref(text)
    assert ref.text == text
    assert (ref.base.label, ref.adapter.label, ref.base.adapter) == (base, adapter, None)
    assert ref.label == f"{base}+{adapter}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lab/name+adapter", r"lab/name\+adapter: its adapter: no model called 'adapter'"),
        ("./nowhere+run", r"its base: no such folder or file: \./nowhere"),
    ],
)
def test_which_of_the_two_is_missing(desk, text, message):
    assert re.search(message, parse_ref(text).missing)


def test_which_of_the_two_is_wrong(desk):
    with pytest.raises(UsageError, match="its adapter: an empty model name"):
        parse_ref("org/name+")


def test_a_path_with_a_plus_is_a_path(desk):
    assert (parse_ref("a+b.bin").source, parse_ref("a+b.bin").adapter) == ("file", None)


@pytest.mark.parametrize("suffix", [*WEIGHT_SUFFIXES, ".pth.tar"])
def test_weight_files_of_every_suffix(desk, suffix):
    (desk / f"best{suffix}").write_bytes(b"")
    for text in (f"best{suffix}", f"./best{suffix}"):
        assert (parse_ref(text).source, parse_ref(text).path) == ("file", Path(text))
    found = parse_ref(f"lab/model/sub/best{suffix}@main")
    assert (found.source, found.repo, found.file) == ("hub", "lab/model", f"sub/best{suffix}")


@pytest.mark.parametrize("suffix", TORCH_SUFFIXES[1:])
def test_a_repository_whose_name_ends_like_a_file_of_torch(desk, suffix):
    assert parse_ref(f"lab/model{suffix}").source == "hub"
    assert "run/gone" in parse_ref(f"run/gone{suffix}").missing
    (desk / "run" / f"here{suffix}").write_bytes(b"")
    assert parse_ref(f"run/here{suffix}").source == "file"


HEADS = {
    "safetensors": (24).to_bytes(8, "little") + b'{"a":{}}',
    "zip": b"PK\x03\x04" + bytes(26),
    "pickle": b"\x80\x02}q\x00.",
    "tar": b"pickle".ljust(257, b"\0") + b"ustar\x0000",
    "gguf": b"GGUF" + bytes(20),
    "npy": b"\x93NUMPY\x01\x00",
    "": b'{"a": 1}',
}


@pytest.mark.parametrize("container", HEADS)
def test_a_file_of_another_name_is_known_by_its_first_bytes(desk, container):
    assert container_of(HEADS[container]) == container
    (desk / "weights").write_bytes(HEADS[container])
    if container:
        assert parse_ref("./weights").source == "file"
    else:
        with pytest.raises(UsageError, match="not a weight file"):
            parse_ref("./weights")


def test_absolute_and_home_paths(desk):
    absolute = str(desk / "model.safetensors")
    assert (parse_ref(absolute).source, parse_ref(absolute).path) == ("file", desk / "model.safetensors")
    assert (parse_ref("~/kept").source, parse_ref("~/kept").path) == ("folder", desk.parent / "home" / "kept")
    assert parse_ref("~/kept").label == "~/kept"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty model name: give org/name, a folder or a weight file"),
        (" \t", "an empty model name: give org/name, a folder or a weight file"),
        ("a\x00b", r"'a\x00b': a model name can't hold control characters: type it again"),
        ("org/name\n", r"'org/name\n': a model name can't hold control characters: type it again"),
        ("org/n\ud800", r"'org/n\ud800': a model name can't hold control characters: type it again"),
        (
            "config.json",
            f"config.json: not a weight file: a folder or a {', '.join(WEIGHT_SUFFIXES)} file is read",
        ),
        (
            "./x.txt",
            f"./x.txt: not a weight file: a folder or a {', '.join(WEIGHT_SUFFIXES)} file is read",
        ),
        (
            "run/model.safetensors.index.json",
            "run/model.safetensors.index.json: an index of shards: name its folder, run",
        ),
        ("org/name@", "org/name@: nothing after the @: name a branch, tag or commit, or drop the @"),
        ("bert-base@", "bert-base@: nothing after the @: name a branch, tag or commit, or drop the @"),
        (
            "org/name@a b",
            "org/name@a b: 'a b' can't be a revision: name a branch, tag, commit or refs/pr/N",
        ),
        (
            "org/name@../../x",
            "org/name@../../x: '../../x' can't be a revision: name a branch, tag, commit or refs/pr/N",
        ),
        (
            "hf://org/name@a%0Ab",
            r"hf://org/name@a%0Ab: 'a\nb' can't be a revision: name a branch, tag, commit or refs/pr/N",
        ),
        ("hf://datasets/org/name", "hf://datasets/org/name: names a dataset, not a model"),
        (
            "https://huggingface.co/spaces/org/name",
            "https://huggingface.co/spaces/org/name: names a space, not a model",
        ),
        (
            "https://huggingface.co/org/name/blob/main/README.md",
            "https://huggingface.co/org/name/blob/main/README.md: names a file inside org/name that holds no "
            "weights: name the repository",
        ),
    ],
)
def test_what_is_refused(desk, text, message):
    with pytest.raises(UsageError) as raised:
        parse_ref(text)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("./nowhere", "no such folder or file: ./nowhere: check the path"),
        ("/nowhere/at/all", "no such folder or file: /nowhere/at/all: check the path"),
        ("~/nowhere", "no such folder or file: ~/nowhere: check the path"),
        ("~no-such-person/x", "no such folder or file: ~no-such-person/x: check the path"),
        ("nowhere.safetensors", "no such folder or file: nowhere.safetensors: check the path"),
        ("org/nowhere.bin", "no such folder or file: org/nowhere.bin: check the path"),
        ("config.json/x.bin", "no such folder or file: config.json/x.bin: check the path"),
        (
            "bert-bse",
            "no model called 'bert-bse': did you mean bert-base, albert-base, bart-base? "
            "Hub models are written org/name",
        ),
        (
            "zzzz",
            "no model called 'zzzz': `wqscore models` lists the short names. Hub models are written org/name",
        ),
        (
            "@dev",
            "no model called '@dev': `wqscore models` lists the short names. Hub models are written org/name",
        ),
    ],
)
def test_what_is_missing_is_a_model_that_fails(desk, text, reason):
    ref = parse_ref(text)
    assert (ref.missing, ref.label, ref.repo) == (reason, text, None)
    with pytest.raises(CheckpointError) as raised:
        open_checkpoint(ref)
    assert str(raised.value) == reason


FORBIDDEN = ["a/b/c", "lab/", "lab/na me", "lab/naïve", "-lab/name", "lab/a--b", "lab/a..b", "lab/x.git"]
FORBIDDEN += ["x" * 97 + "/name", "x" * 300 + "/" + "y" * 300]
ELSEWHERE = ["hf://", "hf://org", "hf://org/name@", "hf://model/org/name", "HF://org/name", "http://["]
ELSEWHERE += ["https://huggingface.co/org", "https://huggingface.co/org/name/discussions"]
ELSEWHERE += ["https://example.com/org/name"]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_names_the_hub_forbids(desk, text):
    with pytest.raises(UsageError, match=r"no such folder, and not a Hub model: .* org/name"):
        parse_ref(text)


@pytest.mark.parametrize("text", ELSEWHERE)
def test_addresses_of_something_else(desk, text):
    with pytest.raises(UsageError, match="not the address of a Hub model: write org/name"):
        parse_ref(text)


def test_a_long_text_is_cut_in_the_message(desk):
    assert 0 < len(parse_ref("q" * 100_000).missing) < 300


def test_a_path_that_is_too_long_is_refused(desk):
    assert "can't be read: File name too long" in parse_ref("./" + "x" * 300).missing


def test_a_file_that_is_no_regular_file_is_refused(desk):
    os.mkfifo("pipe.bin")
    with pytest.raises(UsageError, match=r"pipe\.bin: not a weight file"):
        parse_ref("pipe.bin")


PIECES = ["hf://", "https://huggingface.co/", "hf.co/", "models/", "datasets/", "tree/", "org", "name"]
PIECES += ["bert-base", "/", "@", "~", ".", "..", "--", ".git", ".bin", ".safetensors", "refs/pr/1", "%0A"]
PIECES += ["%2F", "[", "]", ":", "é", "文", " ", "\n", "\x00", "\ud800", "\u2028", "a" * 97]
TEXTS = st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=9).map("".join)


@settings(max_examples=examples(500), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_any_text_is_a_model_or_one_line_of_refusal(desk, text):
    try:
        ref = parse_ref(text)
    except UsageError as error:
        assert len(str(error).splitlines()) == 1
        return
    assert ref.text == text
    if ref.missing:
        assert len(ref.missing.splitlines()) == 1
        return
    if ref.source == "hub":
        validate_repo_id(ref.repo)
        assert ref.repo.count("/") == 1
        assert ref.path is None
        assert ref.revision is None or not set(ref.revision) & set(string.whitespace)
    else:
        assert (ref.path.is_dir(), ref.path.is_file()) == (ref.source == "folder", ref.source == "file")


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    repo=st.from_regex(r"[A-Za-z0-9]{1,8}/[A-Za-z0-9]{1,8}", fullmatch=True),
    revision=st.none() | st.from_regex(r"[A-Za-z0-9]{1,8}(/[A-Za-z0-9@#é]{1,8}){0,2}", fullmatch=True),
)
def test_the_label_names_the_same_model(desk, repo, revision):
    typed = repo if revision is None else f"{repo}@{revision}"
    again = parse_ref(parse_ref(typed).label)
    assert (again.repo, again.revision) == (repo, revision)


PARTS = st.text("ab9-_.", max_size=6) | st.integers(94, 98).map("x".__mul__) | st.text("a-.é\n ", max_size=4)
REPO_IDS = st.tuples(PARTS, PARTS, st.sampled_from(["", "", ".git"])).map(lambda t: f"{t[0]}/{t[1]}{t[2]}")


@settings(max_examples=examples(1000))
@given(text=REPO_IDS)
def test_repo_ids_are_those_of_huggingface_hub(text):
    try:
        validate_repo_id(text)
    except HFValidationError:
        assert not is_repo_id(text)
    else:
        assert is_repo_id(text)


@given(text=st.text("ab-._/", max_size=8).filter(lambda text: text.count("/") != 1))
def test_a_repo_id_has_one_slash(text):
    assert not is_repo_id(text)
