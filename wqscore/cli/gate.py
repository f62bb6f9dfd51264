"""`wqscore gate`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, complain, one_line_errors
from wqscore.cli.open_store import asked_store
from wqscore.cli.output import show

if TYPE_CHECKING:
    from wqscore.gating.gate import Judgement
    from wqscore.gating.policy import Policy
    from wqscore.results import Format

FAILED = 1


class GateFormat(StrEnum):
    """How a gate's outcome is printed."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"
    MD = "md"
    PROMETHEUS = "prometheus"


def _file_option(name: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, metavar="FILE", help=text, show_default=False)
    return option


def gate(
    ref: options.Ref,
    rules: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="RULE", help="What fails the gate; may be given often.", show_default=False),
    ] = None,
    policy: Annotated[Path | None, _file_option("--policy", "A TOML file of rules and settings.")] = None,
    baseline: Annotated[
        Path | None, _file_option("--baseline", "Numbers to compare with: score --format json, or ranking.json.")
    ] = None,
    output: Annotated[GateFormat, typer.Option("--format", help="What standard output gets.")] = GateFormat.TABLE,
    junit: Annotated[Path | None, _file_option("--junit", "Write JUnit XML too.")] = None,
    prometheus: Annotated[Path | None, _file_option("--prometheus", "Write a Prometheus textfile too.")] = None,
    summary: Annotated[Path | None, _file_option("--summary", "Write Markdown too, for a job's summary.")] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", metavar="NAME", help="As for score; overrides the policy's.", show_default=False),
    ] = None,
    base: options.BaseOption = None,
    seed: options.SeedOption = 0,
    stream: options.StreamOption = False,
    store: options.StoreOption = None,
    no_store: options.NoStoreOption = False,
    jobs: options.JobsOption = None,
    memory: options.MemoryOption = None,
    backend: options.BackendOption = options.Backend.THREADS,
    quiet: options.QuietOption = False,
) -> None:
    """Hold a model to rules, for a pipeline that stops where one fails.

    A rule says what fails: alpha>6, log_norm.mean>=2, delta(alpha)>0.3 and relative(log_norm)>0.05 (against the
    baseline), share(random)>0.2 (of all matrices), non_finite>0, zero>0, unread>0, coverage<0.9, coverage_all<0.5.
    What can't be scored never passes. share(no-power-law) grows with the size of the matrices: set its limit for one
    architecture and size.

    A policy has rules = ["..."], and may have preset, metrics, baseline and base. --rule adds to its rules, other
    options override.

    Exit codes: 0 passed, 1 a rule failed or could not be judged, 2 wrong usage, 3 the model could not be scored, 130
    interrupted.
    """
    files: dict[Format, Path | None] = {"junit": junit, "prometheus": prometheus, "md": summary}
    with one_line_errors():
        _check(files.values())
        from wqscore.cli.progress import ProgressBars
        from wqscore.gating.gate import gate as gate_ref

        asked = _policy(policy, rules or [], preset, baseline, base)
        with asked_store(store, no_store) as opened, ProgressBars(quiet) as progress:
            judgement = gate_ref(
                ref,
                asked,
                seed=seed,
                stream=stream,
                store=opened,
                jobs=jobs,
                memory=memory,
                backend=backend.value,
                progress=progress,
            )
    code = {"passed": 0, "failed": FAILED, "unscored": NOT_SCORED}[judgement.status]
    try:
        with one_line_errors():
            _publish(judgement, output, files)
    except typer.Exit as leaving:
        # Whoever closes the pipe early ends the printing without an error, and the gate is as it was.
        raise typer.Exit(leaving.exit_code or code) from leaving
    if code == NOT_SCORED:
        complain(judgement.error or f"{judgement.ref.label}: none of its matrices could be scored")
    raise typer.Exit(code)


def _check(files: Iterable[Path | None]) -> None:
    from wqscore.rendering.result_file import check_file
    from wqscore.rendering.timestamp import created_at

    created_at()
    for file in filter(None, files):
        check_file(file)


def _policy(
    file: Path | None, rules: list[str], preset: str | None, baseline: Path | None, base: str | None
) -> Policy:
    """The file's policy, with what the command line adds and overrides."""
    from dataclasses import replace

    from wqscore.gating.policy import Policy, load_policy, read_rules

    found = load_policy(file) if file else Policy()
    return replace(
        found,
        rules=tuple(dict.fromkeys([*found.rules, *read_rules(rules)])),
        preset=preset or found.preset,
        baseline=baseline or found.baseline,
        base=base or found.base,
    )


def _publish(judgement: Judgement, output: GateFormat, files: Mapping[Format, Path | None]) -> None:
    """Write the files, then print; what is printed is not lost where a file can't be written."""
    from wqscore.rendering.result_file import write_file
    from wqscore.results import render

    try:
        for name, file in files.items():
            if file is not None:
                write_file(file, str(render(judgement, name)))
    finally:
        show(judgement, output)
