"""The examples parse in their formats, name only existing commands and options, and work."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from tests.cli.conftest import COMMAND, toy
from wqscore.cli import app
from wqscore.gating.policy import load_policy, read_rules
from wqscore.version import __version__

EXAMPLES = Path(__file__).parent.parent / "examples"
WORKFLOWS = sorted(EXAMPLES.glob("*.yml"))


def parsed(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def shell_of(file: Path) -> list[str]:
    """The shell scripts that an example runs."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".sh":
        return [text]
    if file.suffix == ".py":
        constants = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
        return [text for text in constants if isinstance(text, str) and text.startswith("wqscore ")]
    if file.name == "github-actions.yml":
        return [step["run"] for job in parsed(file)["jobs"].values() for step in job["steps"] if "run" in step]
    return [line for job in parsed(file).values() for line in job["script"]]


def commands_of(file: Path) -> list[list[str]]:
    """Every call of wqscore, as words."""
    found = []
    for script in shell_of(file):
        for line in script.replace("\\\n", " ").splitlines():
            call = re.search(r"(?:^|\bif |: )\s*(wqscore [^;>|&]*)", re.sub(r'"[^"]*"', quoted, line))
            if call and not line.lstrip().startswith("#"):
                found.append([word.replace("\x00", ">") for word in shlex.split(call.group(1))])
    return found


def quoted(match: re.Match[str]) -> str:
    return match.group().replace(">", "\x00")


FILES = [file for file in sorted(EXAMPLES.iterdir()) if file.suffix in {".yml", ".sh", ".py"}]


def test_they_are_all_here() -> None:
    assert {file.name for file in FILES} == {
        "airflow_dag.py",
        "github-actions.yml",
        "gitlab-ci.yml",
        "nightly.sh",
        "slurm.sh",
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_commands_exist_with_their_options(file: Path) -> None:
    calls = commands_of(file)
    assert any(call[1] == ("rank" if file.name == "slurm.sh" else "gate") for call in calls)
    for _, command, *words in calls:
        subcommand = words[:1] if command == "store" else []
        done = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [command, *subcommand, "--help"])
        assert done.exit_code == 0, command
        options = {word for word in words if word.startswith("--")}
        assert options <= set(re.findall(r"--[a-z-]+", done.output)), words
        read_rules(after for word, after in pairwise(words) if word == "--rule")


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_the_workflows_are_yaml_of_shell_that_parses(file: Path) -> None:
    scripts = shell_of(file)
    assert scripts
    for script in scripts:
        # A gate behind a pipe would end with the code of what comes after it.
        assert "|" not in script
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_the_github_workflow_has_what_github_asks_for() -> None:
    workflow = parsed(EXAMPLES / "github-actions.yml")
    # YAML 1.1 reads the key on as true.
    assert True in workflow or "on" in workflow
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        assert all(("run" in step) != ("uses" in step) for step in job["steps"])


PIPELINES = [*WORKFLOWS, EXAMPLES / "nightly" / "github-actions.yml"]


@pytest.mark.parametrize("file", PIPELINES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_whatever_is_fetched_is_pinned(file: Path) -> None:
    """Actions by their commit, with the version beside it; wqscore by the tag of this version."""
    text = file.read_text(encoding="utf-8")
    for action in re.findall(r"uses: *(.*)", text):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    installed = re.findall(r"pip install (.*)", text)
    assert installed
    assert all(requirement.endswith(f'}}@v{__version__}"') for requirement in installed), installed


def test_gitlab_reads_the_file_that_the_gate_writes() -> None:
    job = parsed(EXAMPLES / "gitlab-ci.yml")["model-gate"]
    call = commands_of(EXAMPLES / "gitlab-ci.yml")[0]
    assert call[call.index("--junit") + 1] == job["artifacts"]["reports"]["junit"]
    assert job["artifacts"]["when"] == "always"


def test_the_dag_is_python_and_its_command_is_whole() -> None:
    source = (EXAMPLES / "airflow_dag.py").read_text(encoding="utf-8")
    compile(source, "airflow_dag.py", "exec")
    gate = shell_of(EXAMPLES / "airflow_dag.py")[0].format(model="org/first", name="org-first")
    subprocess.run(["bash", "-n"], input=gate, text=True, check=True)
    assert "{" not in gate


def test_the_policy_is_one() -> None:
    assert len(load_policy(EXAMPLES / "policy.toml").rules) == 5
    against = load_policy(EXAMPLES / "policy-against-production.toml")
    assert "worse(alpha)" in map(str, against.rules)
    assert against.baseline == EXAMPLES / "production.json"


def test_the_nightly_script_runs(tmp_path: Path) -> None:
    """Two nights: the first leaves a baseline for the second, and a model that can't be read leaves none."""
    script = EXAMPLES / "nightly.sh"
    subprocess.run(["bash", "-n", script], check=True)
    shutil.copy(EXAMPLES / "policy.toml", tmp_path)
    toy(tmp_path / "sound", layers=8)
    toy(tmp_path / "cut")
    (tmp_path / "cut" / "model.safetensors").write_bytes(b"cut short")
    environment = {
        **os.environ,
        "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}",
        "TEXTFILES": str(tmp_path / "textfiles"),
        "STATE": str(tmp_path / "state"),
        "POLICY": str(tmp_path / "policy.toml"),
    }

    def night(*models: str) -> int:
        return subprocess.run(
            ["bash", script, *models], cwd=tmp_path, env=environment, capture_output=True, check=False
        ).returncode

    assert night("./sound") == 0
    assert night("./sound", "./cut") == 1
    passed, rules = {}, set()
    for file in (tmp_path / "textfiles").glob("*.prom"):
        gauges = {f.name: f.samples for f in text_string_to_metric_families(file.read_text())}
        passed[gauges["wqscore_gate_passed"][0].labels["model"]] = gauges["wqscore_gate_passed"][0].value
        rules |= {sample.labels["rule"] for sample in gauges["wqscore_gate_rule_passed"]}
    assert passed == {"./sound": 1, "./cut": 0}
    assert "worse(alpha)" in rules
    assert [file.name for file in (tmp_path / "state").iterdir()] == [".-sound.json"]


#: What sbatch does, one job after the other: its numbers, the array's tasks, and a dependency on what succeeded.
SBATCH = """#!/usr/bin/env bash
set -e
job=$(($(cat jobs 2>/dev/null || echo 0) + 1)); echo $job > jobs
for word; do
    case $word in
        --array=*) range=${word#*=1-} ;;
        --dependency=afterok:*) grep -qx "${word##*:}" done ;;
        --parsable) parsable=1 ;;
    esac
done
for task in $(seq ${range:-1}); do SLURM_ARRAY_TASK_ID=$task bash "${@: -1}"; done
echo $job >> done
echo "${parsable:+$job;cluster}"
"""


def test_the_slurm_script_ranks(tmp_path: Path) -> None:
    """Against a stand-in of sbatch, for there is no Slurm: the jobs are real, and so is their report."""
    toy(tmp_path / "one")
    toy(tmp_path / "an other")
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(SBATCH)
    sbatch.chmod(0o755)
    path = os.pathsep.join([str(sbatch.parent), str(COMMAND.parent), os.environ["PATH"]])
    models = [str(tmp_path / "one"), str(tmp_path / "an other")]
    found = subprocess.run(
        ["bash", EXAMPLES / "slurm.sh", "2", *models],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "WORK": str(tmp_path / "work"), "SOURCE_DATE_EPOCH": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    alone = subprocess.run(
        [COMMAND, "rank", *models, "--no-store", "--no-report", "--format", "csv", "--quiet"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / "work" / "report" / "ranking.csv").read_text(encoding="utf-8") == alone.stdout
