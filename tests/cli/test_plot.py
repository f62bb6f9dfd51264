"""`wqscore plot`: pictures that other readers open, with NumPy's numbers, written whole or not at all."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import Result

import wqscore
from tests.cli.conftest import toy
from tests.rounding import expected, expected_ends
from wqscore.reports.plots.matrix import distance_picture, spectrum_picture
from wqscore.scoring.find_layer import choose_layer

Invoke = Callable[..., Result]
SVG = "{http://www.w3.org/2000/svg}"


def words(file: Path) -> list[str]:
    """The texts of an SVG file, line by line."""
    return [line for text in ElementTree.parse(file).iter(f"{SVG}text") for line in text.itertext()]


@pytest.mark.parametrize(
    ("chart", "axes"),
    [("spectrum", {"eigenvalue λ", "density"}), ("distance", {"candidate xmin", "KS distance D"})],
)
def test_a_chart_of_one_matrix(invoke: Invoke, tmp_path: Path, chart: str, axes: set[str]) -> None:
    toy(tmp_path / "model")
    done = invoke("plot", "model", "--layer", "2.fc1", "--chart", chart, "--out", "x.svg", "-q")
    assert (done.exit_code, done.output) == (0, "")
    assert axes | {"layers.2.fc1.weight", "model"} <= set(words(Path("x.svg")))
    assert invoke("plot", "model", "--layer", "2.fc1", "--chart", chart, "--out", "y.SVG", "-q").exit_code == 0
    assert Path("x.svg").read_bytes() == Path("y.SVG").read_bytes()


def test_the_chart_of_a_model_has_a_mark_for_every_fit(invoke: Invoke, tmp_path: Path) -> None:
    toy(tmp_path / "model", layers=7)
    assert invoke("plot", "model", "--chart", "depth", "--out", "x.svg", "-q").exit_code == 0
    score = wqscore.score("model")
    alpha = score.summary.statistics["alpha"]
    assert alpha.interval is not None
    lo, hi = alpha.interval
    assert f"median alpha {expected(alpha.median, hi - lo)} ({expected_ends(lo, hi)})" in words(Path("x.svg"))
    # Vega draws the points of a chart as paths of one group; the legend has one more.
    groups = [len(group.findall(f"{SVG}path")) for group in ElementTree.parse("x.svg").iter(f"{SVG}g")]
    assert 7 in groups
    hollow = [path for path in ElementTree.parse("x.svg").iter(f"{SVG}path") if path.get("fill-opacity") == "0"]
    assert len(hollow) == sum(layer.verdict != "ok" for layer in score.layers)
    shaded = [line for line in words(Path("x.svg")) if line.startswith("shaded: 2 to 6")]
    assert shaded


def test_a_picture_is_dark_on_white_and_needs_nothing_else(invoke: Invoke, tmp_path: Path) -> None:
    toy(tmp_path / "model")
    for chart in (["depth"], ["spectrum", "--layer", "2.fc1"]):
        assert invoke("plot", "model", "--out", "x.svg", "-q", "--chart", *chart).exit_code == 0
        text = Path("x.svg").read_text(encoding="utf-8")
        assert "currentColor" not in text and "transparent" not in text.replace('stroke="transparent"', "")
        assert 'fill="#ffffff"' in text
        assert not re.search(r"(?:href|src|url\()", text)


def test_png(invoke: Invoke, tmp_path: Path) -> None:
    toy(tmp_path / "model")
    assert invoke("plot", "model", "--layer", "2.fc1", "--out", "x.png", "-q").exit_code == 0
    content = Path("x.png").read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert width > 1400 and height > 900


def test_pdf_holds_its_text_in_the_given_width(invoke: Invoke, tmp_path: Path) -> None:
    toy(tmp_path / "model")
    assert invoke("plot", "model", "--layer", "2.fc1", "--out", "x.pdf", "-q", "--width", "3.5").exit_code == 0
    content = Path("x.pdf").read_bytes()
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    box = re.search(rb"/MediaBox\s*\[\s*0 0 ([0-9.]+) ([0-9.]+)\s*\]", content)
    assert box is not None
    assert float(box[1]) == pytest.approx(3.5 * 72, abs=2)


@pytest.mark.parametrize(("width", "dpi"), [(4.0, 100), (6.5, 300)])
def test_a_png_has_the_width_in_pixels(invoke: Invoke, tmp_path: Path, width: float, dpi: int) -> None:
    toy(tmp_path / "model")
    command = ["plot", "model", "--layer", "2.fc1", "--out", "x.png", "-q", "--width", str(width), "--dpi", str(dpi)]
    assert invoke(*command).exit_code == 0
    wide, _ = struct.unpack(">II", Path("x.png").read_bytes()[16:24])
    assert wide == pytest.approx(width * dpi, abs=2 * dpi / 72)


def test_the_font_is_named(invoke: Invoke, tmp_path: Path) -> None:
    toy(tmp_path / "model")
    assert (
        invoke("plot", "model", "--layer", "2.fc1", "--out", "x.svg", "-q", "--font", "Linux Libertine").exit_code
        == 0
    )
    texts = list(ElementTree.parse("x.svg").iter(f"{SVG}text"))
    assert {text.get("font-family") for text in texts} == {"Linux Libertine"}


def test_all_matrices_at_once_with_overlays(invoke: Invoke, tmp_path: Path) -> None:
    toy(
        tmp_path / "model",
        layers=3,
        **{"head.odd.weight": np.random.default_rng(3).standard_normal((80, 60)).astype("f4")},
    )
    assert invoke("plot", "model", "--bulk", "--shuffled", "--out", "x.svg", "-q").exit_code == 0
    found = words(Path("x.svg"))
    assert {"eigenvalues", "power law", "Marchenko–Pastur", "shuffled"} <= set(found)
    score = wqscore.score("model")
    rows = [row.matrix for row in score.layers]
    labels = [row.name if row.depth is None else f"{row.depth} {row.role}" for row in rows]
    assert [word for word in found if word in labels] == labels


def test_several_models_by_depth(invoke: Invoke, tmp_path: Path) -> None:
    for seed in range(2):
        toy(tmp_path / f"run-{seed}", seed=seed, layers=3)
    done = invoke("plot", "run-0", "run-1", "--chart", "depth", "--metric", "stable_rank", "--out", "x.svg", "-q")
    assert (done.exit_code, done.output) == (0, "")
    assert {"run-0", "run-1", "stable_rank by layer", "stable_rank"} <= set(words(Path("x.svg")))


def test_what_is_drawn_is_the_density_of_the_eigenvalues(tmp_path: Path) -> None:
    score = wqscore.score(toy(tmp_path / "model"))
    layer = choose_layer(score, "2.fc1")
    values = np.linalg.svd(load_file(tmp_path / "model" / "model.safetensors")["layers.2.fc1.weight"].astype("f8"))[1]
    eigenvalues = np.sort(values**2)
    data = spectrum_picture(score, score.spectrum("2.fc1")).data
    density, tail = data["density"], data["tail"]
    assert sum(row["count"] for row in density) == 64
    width = np.log10(eigenvalues[-1] / eigenvalues[0]) / 50
    for row in density:
        left, right = row["eigenvalue"] * 10 ** (-width / 2), row["eigenvalue"] * 10 ** (width / 2)
        assert row["density"] * (right - left) == pytest.approx(row["count"] / 64, rel=1e-6)
        inside = np.count_nonzero((eigenvalues >= left * (1 - 1e-6)) & (eigenvalues <= right * (1 + 1e-6)))
        assert abs(inside - row["count"]) <= 1
    # The area under the line is the tail's share, but for what lies beyond the largest eigenvalue.
    assert layer.fit is not None
    start, end = tail
    slope = np.log(end["density"] / start["density"]) / np.log(end["eigenvalue"] / start["eigenvalue"])
    assert slope == pytest.approx(-layer.fit.alpha)
    above = np.count_nonzero(eigenvalues >= layer.fit.xmin * (1 - 1e-9)) / 64
    assert start["density"] * start["eigenvalue"] / (layer.fit.alpha - 1) == pytest.approx(above)


def test_the_marked_distance_is_the_smallest(tmp_path: Path) -> None:
    score = wqscore.score(toy(tmp_path / "model"))
    layer = choose_layer(score, "2.fc1")
    data = distance_picture(score, layer).data
    least = min(data["scan"], key=lambda row: row["D"])
    assert [least] == [pytest.approx(row) for row in data["xmin"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layer", "fc1", "--out", "x.svg"], "is in the names of 4 matrices: layers.0.fc1.weight, layers.1"),
        (["--layer", "fc7", "--out", "x.svg"], "no matrix has 'fc7' in its name: near it: layers.0.fc1.weight"),
        (["--layer", "norm.bias", "--out", "x.svg"], "norm.bias: was not scored: "),
        (["--layer", "2.fc1", "--out", "x.gif"], "x.gif: pictures are .svg, .png, .pdf: end its name"),
        (["--layer", "2.fc1", "--out", "svg"], "svg: pictures are .svg, .png, .pdf: end its name"),
        (["--layer", "2.fc1", "--out", "gone/x.svg"], "gone/x.svg: there is no folder gone"),
        (["--chart", "distance", "--out", "x.svg"], "the chart distance is of one matrix: name it with --layer"),
        (["--chart", "depth", "--layer", "2.fc1", "--out", "x.svg"], "the chart depth shows every layer"),
        (["--chart", "depth", "--bulk", "--out", "x.svg"], "bulk and shuffled are drawn over spectra"),
        (["--layer", "2.fc1", "--metric", "entropy", "--out", "x.svg"], "a metric is for the chart depth"),
        (["--chart", "depth", "--metric", "alhpa", "--out", "x.svg"], "alpha"),
        (["other", "--out", "x.svg"], "--chart spectrum takes one model; use --chart depth for several"),
        (["model", "--chart", "depth", "--out", "x.svg"], "model was named twice"),
    ],
)
def test_wrong_usage_is_one_line_and_leaves_no_file(
    invoke: Invoke, tmp_path: Path, arguments: list[str], message: str
) -> None:
    toy(tmp_path / "model", **{"norm.bias": np.zeros(8, "f4")})
    done = invoke("plot", "model", "-q", *arguments)
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_matrix_without_a_spectrum(invoke: Invoke, tmp_path: Path) -> None:
    toy(tmp_path / "model", layers=1, **{"layers.9.fc1.weight": np.zeros((64, 64), "f4")})
    done = invoke("plot", "model", "--layer", "9.fc1", "--out", "x.svg", "-q")
    assert done.exit_code == 3
    assert done.stderr == (
        "wqscore: model: layers.9.fc1.weight: has no spectrum to draw: every weight is 0, or too small to square\n"
    )


def test_a_picture_that_was_there_stays_when_the_new_one_fails(invoke: Invoke, tmp_path: Path) -> None:
    toy(tmp_path / "model")
    Path("x.svg").write_text("old", encoding="utf-8")
    assert invoke("plot", "model", "--layer", "fc1", "--out", "x.svg", "-q").exit_code == 2
    assert Path("x.svg").read_text(encoding="utf-8") == "old"


def test_what_was_scored_is_kept(invoke: Invoke, tmp_path: Path) -> None:
    toy(tmp_path / "model")
    command = ["plot", "model", "--layer", "2.fc1", "--out", "x.svg", "-q", "--store", "s.sqlite"]
    assert invoke(*command).exit_code == 0
    assert "\nmodel,,blake3:" in invoke("store", "export", "--store", "s.sqlite").stdout
    assert invoke(*command, "--no-store").exit_code == 2
