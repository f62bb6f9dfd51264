"""Airflow, every night: one task per model, which fails when the model's gate fails."""

from __future__ import annotations

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag

MODELS = ("org/first", "org/second")
GATE = "wqscore gate {model} --policy /srv/wqscore/policy.toml --prometheus /srv/textfiles/{name}.prom --quiet"


@dag(schedule="17 2 * * *", start_date=pendulum.datetime(2026, 1, 1), catchup=False, tags=["wqscore"])
def model_gate() -> None:
    """Gate every model; exit codes 1 to 3 fail its task, and a retry can help only with 3."""
    for model in MODELS:
        name = model.replace("/", "-")
        BashOperator(task_id=f"gate-{name}", bash_command=GATE.format(model=model, name=name), retries=1)


model_gate()
