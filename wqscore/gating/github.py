"""Annotations of GitHub Actions: a line `::error` for each rule that did not pass, then the outcome.

Commands: https://docs.github.com/actions/using-workflows/workflow-commands-for-github-actions. Names and reasons come
from checkpoints; escaped, they can neither end a command nor begin one.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from wqscore.escaping import printable, without_commands
from wqscore.gating.gate import GateResult, GateRun
from wqscore.gating.wording import fails_if, measured, outcome_of, results_of
from wqscore.rendering.markdown import escape


def gate_github(judgement: GateResult | GateRun) -> str:
    """Return the lines for a workflow's log."""
    lines: list[str] = []
    for result in results_of(judgement):
        name = result.ref.label
        bad = [outcome for outcome in result.outcomes if outcome.status != "passed"]
        if result.error or (result.status == "unscored" and not bad):
            lines.append(_error(f"wqscore gate: {name}", outcome_of(result)))
            continue
        for outcome in bad:
            lines.append(
                _error(f"wqscore gate: {outcome.rule}", f"{name}: {measured(outcome)} ({fails_if(outcome)})")
            )
    lines.append(without_commands(printable(outcome_of(judgement))))
    return "".join(f"{line}\n" for line in lines)


def step_summary(judgement: GateResult | GateRun, report: Path | None) -> str:
    """Return Markdown for a job's summary page: the outcome as its heading, the rules, and where the report is."""
    where = f"\nReport: {escape(str(report))}{_artifacts()}\n" if report else ""
    return f"## {judgement.to_markdown()}{where}\n"


def _artifacts() -> str:
    """A link to the page of this run, where its artifacts are; empty outside a workflow."""
    server, repository, run = (
        os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    is_run = server.startswith("https://") and re.fullmatch(r"[\w.-]+/[\w.-]+", repository) and run.isdecimal()
    return f", in the [artifacts of this run]({server}/{repository}/actions/runs/{run}) if uploaded" if is_run else ""


def _error(title: str, message: str) -> str:
    return f"::error title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return without_commands(printable(text)).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
