"""Benchmark results in cards that the Hub's own client wrote, in folders, on a local Hub, and in hostile text."""

from __future__ import annotations

import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCard, ModelCardData, eval_result_entries_to_yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.hub_server import HubServer
from tests.warm_processes import run_python
from wqscore.checkpoints.card_yaml import MAX_DEPTH, load_yaml
from wqscore.errors import CheckpointError
from wqscore.refs.parsing import parse_ref
from wqscore.studies.known.card_files import MAX_BYTES, MAX_FILES
from wqscore.studies.known.model_card import BenchmarkResult, CardResults, parse_card, parse_eval_results, read_card

ARC = BenchmarkResult(
    "text-generation", "ai2_arc", "acc_norm", 64.16, ("ARC-Challenge", "test", "num_few_shot=25"),
    ("AI2 Reasoning Challenge", "normalized accuracy"),
)  # fmt: skip


def evaluated(value: object = 64.16, **details: object) -> EvalResult:
    return EvalResult(
        **{
            "task_type": "text-generation",
            "dataset_type": "ai2_arc",
            "dataset_name": "AI2 Reasoning Challenge",
            "dataset_config": "ARC-Challenge",
            "dataset_split": "test",
            "dataset_args": {"num_few_shot": 25},
            "metric_type": "acc_norm",
            "metric_name": "normalized accuracy",
            "metric_value": value,
            **details,
        }
    )


def card(*results: EvalResult, text: str = "# Mine\n") -> str:
    """A card as the Hub's client writes it."""
    data = ModelCardData(model_name="mine", license="mit", tags=["a"], eval_results=list(results))
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n{text}"))


def entries(*values: object) -> str:
    """A file of .eval_results as the Hub's documentation has it made."""
    listed = [EvalResultEntry(f"org/bench{number}", "diamond", value) for number, value in enumerate(values)]
    return yaml.dump(eval_result_entries_to_yaml(listed))


def folder(path: Path, readme: str | bytes | None = None, **files: str) -> CardResults:
    (path / ".eval_results").mkdir(parents=True, exist_ok=True)
    if readme is not None:
        (path / "README.md").write_bytes(readme.encode() if isinstance(readme, str) else readme)
    for name, text in files.items():
        (path / ".eval_results" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return read_card(parse_ref(str(path)))


def test_what_the_client_writes_is_read_back(tmp_path: Path) -> None:
    assert folder(tmp_path, card(evaluated())) == CardResults((ARC,))
    mrpc = {"dataset_type": "glue", "dataset_name": "GLUE", "dataset_config": "mrpc", "verified": True}
    several = parse_card(card(evaluated(0.5), evaluated(0.75, metric_type="f1"), evaluated(1, **mrpc))).results
    assert [(r.dataset, r.metric, r.value, r.verified) for r in several] == [
        ("ai2_arc", "acc_norm", 0.5, False), ("ai2_arc", "f1", 0.75, False), ("glue", "acc_norm", 1.0, True),
    ]  # fmt: skip


def test_the_newer_files_are_read_beside_the_card(tmp_path: Path) -> None:
    found = folder(tmp_path, card(evaluated()), b=entries(20.9), a=entries(0.412, 0.5))
    assert [(r.dataset, r.metric, r.value) for r in found.results] == [
        ("ai2_arc", "acc_norm", 64.16), ("org/bench0", "diamond", 0.412), ("org/bench1", "diamond", 0.5),
        ("org/bench0", "diamond", 20.9),
    ]  # fmt: skip
    assert found.left_out == ()


def test_a_weight_file_has_the_card_beside_it(tmp_path: Path) -> None:
    folder(tmp_path, card(evaluated()))
    (tmp_path / "model.safetensors").touch()
    assert read_card(parse_ref(str(tmp_path / "model.safetensors"))).results == (ARC,)


@pytest.mark.parametrize("text", [None, "", "# no metadata\n", "---\nlicense: mit\n---\n", "---\n\n---\n"])
def test_no_results_are_no_trouble(tmp_path: Path, text: str | None) -> None:
    assert folder(tmp_path, text) == CardResults()


@pytest.mark.parametrize(
    ("value", "number"), [(0.912, 0.912), (7, 7.0), ("76.5", 76.5), ("1e-5", 1e-5), (-3, -3.0), (10**30, 1e30)]
)
def test_a_number_may_be_written_as_text(value: object, number: float) -> None:
    assert [result.value for result in parse_card(card(evaluated(value))).results] == [number]


@pytest.mark.parametrize(
    "value",
    ["45.2 %", "20.0 ± 1.2", "", [1.0], {"a": {"b": 1}}, float("nan"), float("inf"), True, "nan", "-inf", 10**400],
)
def test_what_is_no_number_is_left_out_with_its_reason(value: object) -> None:
    found = parse_card(card(evaluated(value), evaluated(0.5, metric_type="f1")))
    assert [result.value for result in found.results] == [0.5]
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith("README.md: ai2_arc acc_norm: ")
    assert found.left_out[0].endswith(" is not a number")
    assert len(found.left_out[0]) < 120
    newer = parse_eval_results(entries(value, 0.5), "x.yaml")
    assert ([result.value for result in newer.results], len(newer.left_out)) == ([0.5], 1)


def test_a_broken_result_costs_no_other() -> None:
    metadata = yaml.safe_load(card(evaluated(0.5)).split("---")[1])
    good = metadata["model-index"][0]["results"][0]
    lacking = {key: part for key, part in good.items() if key != "dataset"}
    metadata["model-index"][0]["results"] = [lacking, good, "text", {**good, "metrics": None}]
    metadata["model-index"] += [7, {"name": "empty"}]
    found = parse_card(f"---\n{yaml.safe_dump(metadata)}---\n")
    assert [result.value for result in found.results] == [0.5]
    assert found.left_out == (
        "README.md: result 1: it lacks 'dataset'",
        "README.md: result 3: not of the format",
        "README.md: result 4: not of the format",
        "README.md: result 5: not of the format",
    )


@pytest.mark.parametrize(
    "text",
    [
        "a: [1,", "a: b: c", "\t- x", "a: *nowhere", "when: 2001-13-45", "a: !!int ''", "a: !!float ''", "? [a]\n: b",
        "a: !!timestamp x", "a: !!bool x", "a: !!python/object/apply:os.system ['touch owned']",
        "a: !!python/name:os.system ''",
    ],
)  # fmt: skip
def test_broken_yaml_is_one_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_card(f"---\n{text}\n---\n") == CardResults((), ("README.md: its YAML can't be read: correct it",))
    assert list(tmp_path.iterdir()) == []


def bomb(link: str, levels: int = 12) -> str:
    """Nine aliases of nine aliases of …: 9 to the 12th values in a kilobyte."""
    lines = ["l0: &l0 {x: 1}"]
    lines += [f"l{n}: &l{n} {link.format(', '.join([f'*l{n - 1}'] * 9))}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb("[{}]"),
        bomb("{{<<: [{}]}}"),
        "a: &a [*a]",
        "model-index: &a\n- results: *a",
        f"a: {'1:' * 15_000}1",
        "a: &b [1]\nb: &c [" + ", ".join(["*b"] * 500) + "]\nc: [" + ", ".join(["*c"] * 500) + "]",
    ],
    ids=["lists", "merged", "itself", "results", "sexagesimal", "flat"],
)
def test_a_bomb_is_refused_before_it_goes_off(text: str) -> None:
    found = parse_card(f"---\n{text}\n---\n")
    assert found == CardResults((), ("README.md: its YAML is too large or too deep: shorten it",))


@pytest.mark.parametrize("deep", ["[", "{a: ", "- "])
def test_nesting_without_end_is_refused_in_one_line_and_little_memory(deep: str) -> None:
    text = "a:\n  " + deep * 200_000
    tracemalloc.start()
    found = parse_card(f"---\n{text}\n---\n")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One build of PyYAML's loader gives up by itself before the depth is counted: the reasons differ.
    (reason,) = found.left_out
    assert found.results == ()
    assert reason.startswith("README.md: its YAML ") and reason.endswith((": correct it", ": shorten it"))
    assert most < 20 * len(text)


def test_aliases_that_save_typing_are_read() -> None:
    text = "a: &a {x: 1}\nb: [*a, *a]\nc: {<<: *a, y: &c 2}\nd: [*c]"
    assert load_yaml(text, "x") == {"a": {"x": 1}, "b": [{"x": 1}] * 2, "c": {"x": 1, "y": 2}, "d": [2]}


def test_as_deep_as_is_allowed_is_read() -> None:
    assert str(load_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH, "x")) == "[" * MAX_DEPTH + "]" * MAX_DEPTH


def test_large_cards_are_not_read_and_the_other_files_are(tmp_path: Path) -> None:
    readme = card(evaluated(), text="x" * 10_000_000)
    found = folder(tmp_path, readme, a=entries(0.5))
    assert [result.value for result in found.results] == [0.5]
    assert found.left_out == (f"README.md: more than {MAX_BYTES:,} bytes of model card",)


def test_many_files_are_not_read(tmp_path: Path) -> None:
    found = folder(tmp_path, **{f"f{number:03}": entries(number) for number in range(MAX_FILES + 5)})
    assert [result.value for result in found.results] == list(range(MAX_FILES))
    assert found.left_out == (f".eval_results/f{MAX_FILES}.yaml: more than {MAX_FILES} files of results",)


def test_what_is_no_text_or_no_file_is_left_out(tmp_path: Path) -> None:
    assert folder(tmp_path / "a", b"---\n\xff\xfe\n---\n").left_out == ("README.md: not text in UTF-8",)
    assert folder(tmp_path / "b", b"\xef\xbb\xbf" + card(evaluated()).encode()).results == (ARC,)
    (tmp_path / "c" / "README.md").mkdir(parents=True)
    assert folder(tmp_path / "c") == CardResults()
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "README.md").symlink_to("nowhere")
    assert folder(tmp_path / "d") == CardResults()


def test_names_are_one_short_line() -> None:
    found = parse_card(card(evaluated(dataset_type="a\nb \x1b[31m"), evaluated(metric_type="m" * 300)))
    assert [result.dataset for result in found.results] == ["a b \\x1b[31m"]
    assert len(found.left_out) == 1
    assert "more than 200 characters" in found.left_out[0]
    assert len(found.left_out[0]) < 200


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["model-index", "results", "task", "dataset", "metrics", "type", "name", "value", "id", "error"]
            )
            | st.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(st.text() | VALUES.map(yaml.safe_dump) | st.text("-[]{}:&*!<>|'\"\n\t ?%@`#~0123abc.", max_size=60))
def test_any_text_gives_numbers_or_reasons(text: str) -> None:
    for found in (parse_card(f"---\n{text}\n---\n"), parse_card(text), parse_eval_results(text, "x.yaml")):
        assert all(isinstance(result.value, float) and result.value - result.value == 0 for result in found.results)
        assert all(line.isprintable() for line in found.left_out)


@given(VALUES, VALUES, VALUES)
def test_any_part_of_a_result_may_be_anything(name: object, value: object, setting: object) -> None:
    metrics = [{"type": name, "value": value}, {"type": "f1", "value": 0.5}]
    result = {"task": {"type": "t"}, "dataset": {"type": "d", "name": setting, "args": setting}, "metrics": metrics}
    found = parse_card(f"---\n{yaml.safe_dump({'model-index': [{'name': 'x', 'results': [result]}]})}---\n")
    assert 0.5 in [result.value for result in found.results]
    assert len(found.results) + len(found.left_out) == 2


READ = (
    "import sys; from wqscore.studies.known.model_card import read_card; from wqscore.refs.parsing import parse_ref; "
)
SHOW = "card = read_card(parse_ref(sys.argv[1])); print([r.value for r in card.results], *card.left_out, sep='|')"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        server.add(
            "org/model",
            {"README.md": card(evaluated(0.25)).encode(), "model.safetensors": b"never fetched"},
            revisions={"old": "a" * 40},
        )
        server.add(
            "org/model",
            {
                "README.md": card(evaluated(0.5)).encode(),
                ".eval_results/x.yaml": entries(0.75).encode(),
                "notes.yaml": b"never fetched",
                "model.safetensors": b"never fetched",
            },
            revisions={"main": "b" * 40},
        )
        yield server


def read(hub: HubServer, home: Path, ref: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_python(READ + SHOW, [ref], hub.environment(home, **variables), home)


def test_on_the_hub_the_card_of_the_revision_alone_is_fetched(hub: HubServer, tmp_path: Path) -> None:
    assert read(hub, tmp_path, "org/model").stdout == "[0.5, 0.75]\n"
    assert hub.fetched() == {"README.md", ".eval_results/x.yaml"}
    assert read(hub, tmp_path, "org/model@old").stdout == "[0.25]\n"
    hub.stop()
    again = read(hub, tmp_path, "org/model", HF_HUB_OFFLINE="1")
    assert (again.stdout, again.stderr) == ("[0.5, 0.75]\n", "")


def test_a_hub_model_without_a_card_or_with_a_huge_one_has_no_results(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/bare", {"config.json": b"{}"})
    assert read(hub, tmp_path, "org/bare").stdout == "[]\n"
    hub.add("org/huge", {"README.md": b"x" * 10_000_000})
    assert "|README.md: more than" in read(hub, tmp_path, "org/huge").stdout
    assert hub.fetched() == set()


def test_offline_and_without_the_card_in_the_cache_there_are_none(hub: HubServer, tmp_path: Path) -> None:
    fetch = "import sys, huggingface_hub as h; h.hf_hub_download('org/model', 'notes.yaml')"
    run_python(fetch, [], hub.environment(tmp_path)).check_returncode()
    hub.stop()
    done = read(hub, tmp_path, "org/model", HF_HUB_OFFLINE="1")
    assert done.stdout == "[]|README.md: not in the local cache, and the Hub can't be reached\n"


def test_a_model_that_is_not_there_is_an_error(hub: HubServer, tmp_path: Path) -> None:
    done = read(hub, tmp_path, "org/nothing")
    assert CheckpointError.__name__ in done.stderr
    assert "org/nothing: no such model on the Hub" in done.stderr
