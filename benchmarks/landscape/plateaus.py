"""A wide network stops in training where narrow ones stop: the embedding principle seen from a small start.

Tanh networks of width 50, 2 and 1 learn 40 points of a sum of three tanh by gradient descent from weights of size
m^-2; beside them width 50 from an ordinary start, as the control.

Run `python -m benchmarks.landscape.plateaus --out docs/images/plateaus.svg`: it draws the losses and the effective
width, and prints the table that plateaus.md holds. Three minutes on one core. `--checkpoints DIR` also writes the
checkpoints of the wide networks, with their losses in known.csv, for `wqscore track DIR/RUN --condensation`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import altair
import pandas as pd
import torch
import vl_convert
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import mse_loss

from wqscore.landscape.equivalent.merging import near_embedding

WIDE = 50
SMALL, ORDINARY = WIDE**-2.0, 0.3
RATE, STEPS = 0.05, 60_000
TOLERANCE = 0.05
#: By name: width and size of the first weights.
RUNS = {
    f"width {WIDE}, small start": (WIDE, SMALL),
    "width 2, small start": (2, SMALL),
    "width 1, small start": (1, SMALL),
    f"width {WIDE}, ordinary start": (WIDE, ORDINARY),
}


@dataclass(frozen=True)
class Point:
    """A moment of training."""

    run: str
    step: int
    loss: float
    gradient: float
    effective: int


def targets(inputs: torch.Tensor) -> torch.Tensor:
    """tanh(4x − 1) − .8·tanh(3x + 1.5) + .6·tanh(6x)."""
    return torch.tanh(4 * inputs - 1) - 0.8 * torch.tanh(3 * inputs + 1.5) + 0.6 * torch.tanh(6 * inputs)


def course(run: str, folder: Path | None = None) -> list[Point]:
    """Train one network and look at it at steps that grow by a seventh; each look is a checkpoint in a folder."""
    width, size = RUNS[run]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1)).double()
    with torch.no_grad():
        for each in model.parameters():
            each.normal_().mul_(size)
    inputs = torch.linspace(-1, 1, 40, dtype=torch.float64)[:, None]
    wanted = targets(inputs)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    found: list[Point] = []
    next_look = 10.0
    for step in range(STEPS + 1):
        optimizer.zero_grad()
        loss = mse_loss(model(inputs), wanted)
        loss.backward()
        if step >= next_look or step == STEPS:
            next_look *= 8 / 7
            gradient = torch.cat([each.grad.flatten() for each in model.parameters() if each.grad is not None])
            near = near_embedding(model, 0, TOLERANCE, inputs, wanted, mse_loss)
            found.append(Point(run, step, float(loss.detach()), float(gradient.norm()), near.effective))
            if folder is not None:
                (folder / f"step-{step}").mkdir(parents=True)
                save_file(model.state_dict(), folder / f"step-{step}" / "model.safetensors")
        optimizer.step()
    if folder is not None:
        lines = ["step,loss", *(f"{point.step},{point.loss:.6g}" for point in found)]
        (folder / "known.csv").write_text("\n".join([*lines, ""]))
    return found


def folder_of(run: str, above: Path | None) -> Path | None:
    """Where the checkpoints of a wide network go."""
    return above / run.replace(",", "").replace(" ", "-") if above and RUNS[run][0] == WIDE else None


def drawn(points: list[Point]) -> str:
    """An SVG: losses above, effective widths of the wide networks below."""
    table = pd.DataFrame([vars(point) for point in points])
    steps = altair.X("step:Q", scale=altair.Scale(type="log"), title="step")
    colour = altair.Color("run:N", title=None, sort=list(RUNS))
    losses = (
        altair.Chart(table, width=560, height=260)
        .mark_line()
        .encode(steps, altair.Y("loss:Q", scale=altair.Scale(type="log"), title="loss"), colour)
    )
    widths = (
        altair.Chart(table[table["run"].str.startswith(f"width {WIDE}")], width=560, height=120)
        .mark_line()
        .encode(steps, altair.Y("effective:Q", title=f"effective width at {TOLERANCE}"), colour)
    )
    svg: str = vl_convert.vegalite_to_svg((losses & widths).to_json())
    return svg


def table(points: list[Point]) -> str:
    """Where each network is at some steps."""
    looks = sorted({point.step for point in points})
    shown = [
        min(looks, key=lambda look: abs(look - wanted)) for wanted in (100, 300, 600, 1000, 3000, 12_000, 60_000)
    ]
    lines = ["| network | step | loss | gradient's norm | effective width |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {point.run} | {point.step} | {point.loss:.4g} | {point.gradient:.2g} | {point.effective} |"
        for point in points
        if point.step in shown
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the picture goes")
    parser.add_argument("--checkpoints", type=Path, help="where the wide networks' checkpoints go")
    given = parser.parse_args()
    courses = [point for run in RUNS for point in course(run, folder_of(run, given.checkpoints))]
    given.out.write_text(drawn(courses), encoding="utf-8")
    print(table(courses))
