"""`wqscore gate`: hold a model to rules, with an exit code for pipelines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors, print_error
from wqscore.cli.open_store import open_store
from wqscore.cli.output import check_output, show
from wqscore.cli.records import Only, with_options
from wqscore.cli.refs import tell_duplicates

if TYPE_CHECKING:
    from wqscore.gating.gate import GateResult, GateRun
    from wqscore.gating.policy import Policy
    from wqscore.refs.reference import Model
    from wqscore.results import Format

FAILED = 1

#: How a gate's outcome is printed.
GateFormat = Literal["table", "json", "junit", "md", "prometheus", "github"]


def _file_option(name: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, metavar="FILE", help=text, show_default=False)
    return option


@dataclass(frozen=True)
class RuleOptions:
    """Options: the rules that a model is held to."""

    rules: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="RULE", help="What fails the gate; may be given often.", show_default=False),
    ] = None
    policy: Annotated[Path | None, _file_option("--policy", "A TOML file of rules and settings.")] = None
    baseline: Annotated[
        Path | None, _file_option("--baseline", "Numbers to compare with: score --format json, or ranking.json.")
    ] = None
    bank: Annotated[
        Path | None, _file_option("--bank", "The JSON of a screen of trusted adapters, for bank_outlier(...).")
    ] = None
    preset: Annotated[
        str | None,
        typer.Option("--preset", metavar="NAME", help="As for score; overrides the policy's.", show_default=False),
    ] = None
    evidence: Annotated[
        str | None,
        typer.Option(
            "--evidence",
            metavar="FILE|none",
            help="The record behind odds(...): wqscore evidence.",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class FileOptions:
    """Options: files, and the folder of a report, to write in addition to standard output."""

    junit: Annotated[Path | None, _file_option("--junit", "Write JUnit XML too.")] = None
    prometheus: Annotated[Path | None, _file_option("--prometheus", "Write a Prometheus textfile too.")] = None
    summary: Annotated[Path | None, _file_option("--summary", "Write Markdown too, for a job's summary.")] = None
    out: options.OutOption = None


@with_options
def gate(
    refs: Annotated[list[str], typer.Argument(metavar="REF...", help=options.REF_HELP, show_default=False)],
    *,
    rules: RuleOptions,
    output: Annotated[
        GateFormat,
        typer.Option("--format", help="What standard output gets. github: annotations, and the job's summary."),
    ] = "table",
    files: FileOptions,
    settings: Annotated[
        Settings,
        Only(
            *("base", "layers", "roles", "seed", "stream", "store", "verify", "jobs", "memory", "backend", "device"),
            "precision",
        ),
    ],
    no_store: options.NoStoreOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Check models against rules; exit 1 if one fails.

    A rule says what fails: alpha>6, log_norm.mean>=2, share(random)>0.2 (of all matrices), non_finite>0, zero>0,
    unread>0, coverage<0.9, coverage_all<0.5. Against the baseline: worse(alpha), which fails if the change of the
    matrices is worse beyond doubt; odds(alpha)<0.5, the odds by the record of decisions that the model is better, 0.5
    for a toss-up; delta(alpha)>0.3, abs_delta(alpha)>0.3 for a drift either way, and relative(log_norm)>0.05. What
    can't be scored never passes. Of an adapter: outlier(kurtosis)>12, the largest |z| of a module among its siblings,
    and bank_outlier(any)>12 (wqscore screen). share(no-power-law) grows with the size of the
    matrices: set its limit for one architecture and size.

    A policy has rules = ["..."], and may have preset, metrics, baseline and base. --rule adds to its rules, other
    options override. --format github prints a line ::error for each rule that did not pass, and appends the outcome
    and a table to the file that GITHUB_STEP_SUMMARY names.

    Exit codes: 0 all passed, 1 a rule failed or could not be judged, 2 wrong usage, 3 a model could not be scored,
    130 interrupted.
    """
    written: dict[Format, Path | None] = {"junit": files.junit, "prometheus": files.prometheus, "md": files.summary}
    with one_line_errors():
        _check(written.values())
        check_output(files.out)
        from wqscore.cli.progress import ProgressBars
        from wqscore.gating.gate import gate_all
        from wqscore.refs.parsing import parse_ref

        policy = _policy(rules, settings.base)
        if not quiet:
            tell_duplicates([parse_ref(ref) for ref in refs])
        with open_store(settings, no_store) as settings, ProgressBars(quiet) as progress:
            run = gate_all(refs, policy, settings=settings, progress=progress)
    judgement = run.results[0] if len(run.results) == 1 else run
    code = {"passed": 0, "failed": FAILED, "unscored": NOT_SCORED}[judgement.status]
    try:
        with one_line_errors():
            report = _report(run, files.out, quiet)
            _publish(judgement, output, written, report)
    except typer.Exit as leaving:
        # A closed pipe ends the printing with code 0; the gate's own exit code then counts.
        raise typer.Exit(leaving.exit_code or code) from leaving
    for result in run.results:
        if result.status == "unscored":
            print_error(result.error or f"{result.ref.label}: none of its matrices could be scored")
    raise typer.Exit(code)


def _check(files: Iterable[Path | None]) -> None:
    from wqscore.rendering.result_file import check_file
    from wqscore.rendering.timestamp import created_at

    created_at()
    for file in filter(None, files):
        check_file(file)


def _policy(options: RuleOptions, base: Model | None) -> Policy:
    """The policy of --policy, with the rules and settings of the command line added."""
    from dataclasses import replace

    from wqscore.gating.policy import Policy, load_policy, read_rules

    found = load_policy(options.policy) if options.policy else Policy()
    return replace(
        found,
        rules=tuple(dict.fromkeys([*found.rules, *read_rules(options.rules or [])])),
        preset=options.preset or found.preset,
        baseline=options.baseline or found.baseline,
        base=base or found.base,
        evidence=options.evidence or found.evidence,
        bank=options.bank or found.bank,
    )


def _report(run: GateRun, folder: Path | None, quiet: bool) -> Path | None:
    """Write the report of the models that were scored; `None` if none was asked for, or none scored."""
    scores = [result.score for result in run.results if result.score is not None]
    if folder is None or not scores:
        return None
    from wqscore.ranking.ranking import rank_models
    from wqscore.reports.folder import write_report

    first = scores[0]
    page = write_report(rank_models(scores, first.preset.by, first.preset, first.metrics, first.seed), folder)
    if not quiet:
        typer.echo(f"report: {page}", err=True)
    return page


def _publish(
    judgement: GateResult | GateRun, output: GateFormat, files: Mapping[Format, Path | None], report: Path | None
) -> None:
    """Write the files, then print the result, even if a file can't be written."""
    from wqscore.gating.github import step_summary
    from wqscore.rendering.result_file import append_to, write_file
    from wqscore.results import render

    try:
        for name, file in files.items():
            if file is not None:
                write_file(file, str(render(judgement, name)))
        if output == "github" and (summary := os.environ.get("GITHUB_STEP_SUMMARY")):
            append_to(Path(summary), step_summary(judgement, report))
    finally:
        show(judgement, output)
