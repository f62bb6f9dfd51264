"""Names that try to be markup, formulas or commands, as real folders and files, through every output: they are text.

Each output is read by a parser that is not ours; what it reads must be the name, or the name with its control and
direction characters escaped.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

import wqscore
from tests.reports.test_notebook import Page
from wqscore.cli import app
from wqscore.escaping import printable, without_controls

HTML = "<script>alert(1)<\u2215script><img src=x onerror=alert(2)>&lt;\"'--!>]]>{{7*7}}${x}"
BIDI = "a\u202etxt.exe\u2066b\u200f\u061cc\ufeff"
MARKDOWN = "|`*_[x](javascript:alert(3))_*`|~~#~~ \\| <!--"
#: Folders: each is one component, or two, of a path; a file system takes 255 bytes for one.
MODELS = ["=cmd|' C calc'!A1", "+1+A1", "@SUM(A1)", HTML, BIDI, MARKDOWN, f"{'n' * 200}/{'m' * 100}"]
#: Names of tensors may also hold what no terminal, line or cell survives.
TENSORS = [
    "=HYPERLINK(\"http://a.b\").weight",
    "-2+A1.weight",
    "\tx.weight",
    f"layers.0.{HTML}.fc1.weight",
    f"layers.1.{BIDI}.fc1.weight",
    f"layers.2.{MARKDOWN}.fc1.weight",
    "layers.3.a\nb\r\nc\x1b[31md\x1b]0;title\x07\x9b2J\x7f\u2028.fc1.weight",
    f"layers.4.{'n' * 300}.fc1.weight",
]  # fmt: skip
CARD = """---
model-index:
- name: x
  results:
  - task: {{type: text-generation}}
    dataset: {{type: {name}, name: {name}}}
    metrics: [{{type: {name}, value: 0.5}}]
---
"""
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", re.IGNORECASE)
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models whose names, tensors, families and cards are hostile; the last tensors are skipped."""
    home = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(0)
    for place, name in enumerate(MODELS):
        folder = home / name
        folder.mkdir(parents=True)
        tensors = {each: rng.standard_t(3, (64, 64)).astype("f4") for each in TENSORS}
        # One is damaged, so that findings and first looks name it, and one can't be read.
        tensors |= {f"{each}.zero.weight": np.zeros((64, 64), "f4") for each in TENSORS}
        tensors |= {f"{each}.int8.weight": np.ones((64, 64), "i1") for each in TENSORS}
        save_file(tensors, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"model_type": HTML + BIDI, "vocab_size": 9}))
        card = CARD.format(name=json.dumps([HTML, BIDI, MARKDOWN, "=1+1"][place % 4]))
        (folder / "README.md").write_text(card, encoding="utf-8")
    return home


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.chdir(home)

    def run(*arguments: str) -> Result:
        done = CliRunner().invoke(app, list(arguments), env={"SOURCE_DATE_EPOCH": "0"})
        assert done.exit_code in (0, 1, 3), done.output
        shown = done.stderr
        assert all(line.isprintable() for line in shown.split("\n")), "messages are plain lines"
        return done

    return run


COMMANDS = {
    "score": ["--bootstrap", "0", "--gof", "0", "--no-store", "-q", "--"],
    "describe": ["--all", "--"],
    "check": ["-q", "--"],
}


def markdown_texts(text: str) -> list[str]:
    """The text of every inline piece; fails where one is anything but text."""
    found = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        assert token.type not in ("html_block", "code_block", "blockquote_open"), token
        if token.type == "inline":
            children = token.children or []
            assert all(child.type in ("text", "softbreak") for child in children), children
            found.append("".join(child.content for child in children))
    return found


def csv_cells(text: str) -> list[str]:
    """Every cell, none of them a formula, without the apostrophe that keeps it from being one."""
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    for cell in cells:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")) or NUMBER.fullmatch(cell), cell
    return [cell[1:] if re.match("'[=+\\-@\t\r]", cell) else cell for cell in cells]


def json_texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.items() for part in item for text in json_texts(part))
    elif isinstance(value, list):
        yield from (text for part in value for text in json_texts(part))


@pytest.mark.parametrize("model", [MODELS[0], MODELS[3], MODELS[4]])
@pytest.mark.parametrize("command", list(COMMANDS))
def test_tensors_and_models_are_text_in_every_format(run: Run, command: str, model: str) -> None:
    def printed(output: str) -> str:
        # The bytes: the runner's text has other line ends than were written.
        return run(command, "--format", output, *COMMANDS[command], model).stdout_bytes.decode()

    # `check` reports only problems, and no data of sound tensors.
    suffix = ".zero.weight" if command == "check" else ""
    names = [f"{name}{suffix}" for name in TENSORS]
    table = printed("table")
    assert all(line.isprintable() for line in table.split("\n"))
    cells = csv_cells(printed("csv"))
    # A terminal may show it: names keep their tabs and lines, and nothing else that a terminal obeys.
    assert not [cell for cell in cells if CONTROLS.search(cell)]
    texts = list(json_texts(json.loads(printed("json"), parse_constant=pytest.fail)))
    markdown = markdown_texts(printed("md"))
    for name in names:
        assert printable(name).strip() in table
        assert without_controls(name) in cells
        assert name in texts
        assert printable(name).strip() in markdown
    assert printable(model) in table
    assert model in texts


def test_a_ranking_is_text_in_every_format(run: Run, tmp_path: Path) -> None:
    report = tmp_path / "report"
    common = ["--bootstrap", "0", "--gof", "0", "--no-store", "-q"]
    table = run("rank", *common, "--out", str(report), "--", *MODELS).stdout
    csv_text, document, markdown = (
        run("rank", *common, "--no-report", "--format", output, "--", *MODELS).stdout
        for output in ("csv", "json", "md")
    )
    assert all(line.isprintable() for line in table.split("\n"))
    texts = markdown_texts(markdown)
    for model in MODELS:
        assert printable(model) in table
        assert without_controls(model) in csv_cells(csv_text)
        assert model in list(json_texts(json.loads(document, parse_constant=pytest.fail)))
        assert printable(model) in texts
    for file in report.glob("*.csv"):
        csv_cells(file.read_text(encoding="utf-8"))
    page = _Report((report / "index.html").read_text(encoding="utf-8"))
    assert not page.tags & {"img", "iframe", "object", "embed", "base", "form", "link"}
    assert {" ".join(model.split()) for model in MODELS} <= page.isolated
    assert {" ".join(name.split()) for name in TENSORS} <= page.isolated


class _Report(HTMLParser):
    """The elements of a page, and what stands isolated in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.isolated: set[str] = set()
        self._text: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        assert not [value for _, value in attrs if value and value.strip().lower().startswith("javascript:")]
        if tag == "bdi":
            self._text = []

    def handle_endtag(self, tag: str) -> None:
        if tag == "bdi" and self._text is not None:
            self.isolated.add(" ".join("".join(self._text).split()))
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)


def test_notebooks_show_text(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    ranking = wqscore.rank(MODELS, bootstrap=0, gof=0)
    assert set(map(printable, MODELS)) <= set(Page(ranking._repr_html_()).of("td"))
    shown = Page(ranking.scores[0]._repr_html_())
    assert {printable(f"{name}.zero.weight") for name in TENSORS} <= set(shown.of("td"))
    described = Page(replace(wqscore.describe(MODELS[0]), every_tensor=True)._repr_html_())
    assert len(set(described.of("td")) & set(map(printable, TENSORS))) > 0


@pytest.mark.parametrize("model", MODELS)
def test_a_gate_is_text_in_every_format(run: Run, model: str) -> None:
    def printed(output: str) -> str:
        return run("gate", "-q", "--rule", "zero>0", "--format", output, "--", model).stdout

    suite = ElementTree.fromstring(printed("junit"))
    assert [case.get("classname") for case in suite.iter("testcase")] == [f"wqscore gate {printable(model)}"]
    samples = [
        sample for family in text_string_to_metric_families(printed("prometheus")) for sample in family.samples
    ]
    assert samples and {sample.labels["model"] for sample in samples} == {printable(model)}
    assert json.loads(printed("json"))["model"] == model
    assert any(printable(model) in text for text in markdown_texts(printed("md")))
    table = printed("table")
    assert printable(model) in table and all(line.isprintable() for line in table.split("\n"))


def test_cards_are_text(run: Run) -> None:
    for model in MODELS:
        texts = markdown_texts(run("card", "-q", "--no-store", "--bootstrap", "0", "--gof", "0", "--", model).stdout)
        assert f"The weights of {printable(model)}" in texts
        shown = {printable(f"{name}.zero.weight").strip() for name in TENSORS} & set(texts)
        assert len(shown) == 5, "as many as there is room for"


@pytest.mark.parametrize("tensor", TENSORS)
def test_a_picture_shows_text(run: Run, tmp_path: Path, tensor: str) -> None:
    file = tmp_path / "x.svg"
    for model in MODELS[3:5]:
        done = run("plot", "--layer", tensor, "--out", str(file), "-q", "--", model)
        assert done.output == ""
        root = ElementTree.parse(file).getroot()
        assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
            "svg",
            "g",
            "path",
            "text",
            "tspan",
            "rect",
            "line",
        }
        shown = re.sub(r"\s", "", "".join(root.itertext()))
        assert re.sub(r"\s", "", printable(tensor)) in shown
        assert re.sub(r"\s", "", printable(model)) in shown
        assert "\u202e" not in file.read_text(encoding="utf-8")


def test_a_plan_and_benchmark_results_are_text(run: Run) -> None:
    for command in (["plan", "-q"], ["known"]):
        table, csv_text, document, markdown = (
            run(*command, "--format", output, "--", *MODELS).stdout for output in ("table", "csv", "json", "md")
        )
        assert all(line.isprintable() for line in table.split("\n"))
        texts, cells = markdown_texts(markdown), csv_cells(csv_text)
        found = list(json_texts(json.loads(document, parse_constant=pytest.fail)))
        for model in MODELS:
            assert printable(model) in table
            assert without_controls(model) in cells and model in found
            assert printable(model) in texts
    assert any(HTML in text for text in found), "the cards were read"


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\x07", "a\u2028b"])
def test_a_path_with_control_characters_is_refused_in_one_line(tmp_path: Path, run: Run, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    save_file({"a.weight": np.ones((64, 64), "f4")}, folder / "model.safetensors")
    for command in ("score", "describe", "check", "rank", "card", "gate", "plan"):
        done = CliRunner().invoke(app, [command, str(folder)])
        assert done.exit_code == 2
        (line,) = done.stderr.split("\n")[:-1]
        assert line.isprintable()
