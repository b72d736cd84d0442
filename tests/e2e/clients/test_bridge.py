"""The bridge from GitHub Actions: see bridge.py."""

import json
import random

import pytest

from lab import clients as programs
from lab import endpoint, names, paths

JOB = 7
UNIT = "actions.runner.contoso-forecast.lab.service"
SUBJECT = "repo:contoso/forecast:environment:production"
MODEL = "forecast"

PUT_DATA = """
import sys
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
s = BlobServiceClient(sys.argv[1], credential=DefaultAzureCredential())
s.create_container("training")
s.get_blob_client("training", "xy.csv").upload_blob(sys.stdin.read())
"""


def rows(count, seed):
    """y = 3 x + 1, and a little noise."""
    noise = random.Random(seed)
    x = [noise.uniform(0, 100) for _ in range(count)]
    return x, [3 * v + 1 + noise.gauss(0, 0.1) for v in x]


@pytest.fixture
def job(azure, clients):
    """The data in the lake, and the job that trains on a cluster: another
    workload of the same agent, with its own identity."""
    azure.call("mlflow")
    table = "\n".join(f"{x},{y}" for x, y in zip(*rows(500, 1)))
    put = clients.python(PUT_DATA, f"https://{names.ACCT1}", stdin=table)
    assert put.code == 0, put
    env = {
        **clients.environment(),
        "GIT_PYTHON_REFRESH": "quiet",
        "MLFLOW_TRACKING_URI": names.TRACKING_URI,
    }
    azure.call(
        "job",
        job=JOB,
        argv=[str(paths.PYTHON), str(programs.PROGRAMS / "train.py")],
        user="alice",
        unit="job-7.service",
        env=env,
        timeout_s=120,
    )
    yield f"https://{names.ACCT1}/training/xy.csv"
    azure.call("endpoint_reset")


@pytest.fixture
def runner(azure, clients):
    """bridge.py as the runner's service runs it: the agent's environment,
    and the two variables that GitHub gives each job."""

    def run(order, subject=SUBJECT, unit=UNIT):
        env = clients.environment(user="bob")
        env.update(azure.call("workflow", subject=subject))
        return azure.run_as(
            "bob",
            [paths.PYTHON, programs.PROGRAMS / "bridge.py"],
            unit=unit,
            env=env,
            stdin=json.dumps(order),
            timeout_s=200,
        )

    return run


def order(data=None):
    return {
        "tenant": names.TENANT,
        "client_id": names.APPS["ci"]["client_id"],
        "databricks": f"https://{names.DATABRICKS}",
        "job": JOB,
        "data": data,
        "model": MODEL,
        "arm": f"https://{names.ARM}",
        "endpoint": endpoint.ID,
        "score": f"https://{names.SCORE}/score",
        "holdout": rows(20, 2),
    }


def test_a_workflow_goes_from_training_to_traffic(azure, clients, job, runner):
    public = azure.call("public")
    result = runner(order(job))
    assert result.code == 0, result
    seen = {s.pop("step"): s for s in map(json.loads, result.out.splitlines())}
    assert seen["train"]["rmse"] < 0.2
    version = seen["train"]["version"]
    assert seen["deploy"]["model"] == f"azureml:{MODEL}:{version}"
    assert seen["compare"]["green"] < 0.2 < seen["compare"]["blue"]
    assert seen["shift"] == {"green": 100, "blue": 0}
    assert seen["serve"]["by"] == "green"
    of_runner = [
        r
        for r in clients.records()
        if (r.get("workload") or {}).get("unit") == UNIT
    ]
    reached = {r["host"] for r in of_runner if r["event"] == "open"}
    assert reached == {
        *(names.GITHUB_OIDC, names.LOGIN),
        *(names.DATABRICKS, names.ARM, names.SCORE),
    }
    # It has no other proof of itself than the workflow's.
    assert not [r for r in of_runner if r["event"] == "token"]
    assert not [r for r in of_runner if r["verdict"] == "deny"]
    more = azure.call("public")
    named = {f"{a}:443" for a in (names.PUBLIC_LOGIN, names.PUBLIC_GITHUB)}
    assert {k for k in more if more[k] != public[k]} == named


def test_a_workflow_of_another_repository_is_refused_by_entra(runner):
    result = runner(order(), subject="repo:mallory/forecast:ref:main")
    assert result.code != 0
    assert "AADSTS700213" in result.err, result


def test_what_is_not_the_runner_gets_no_workflow_token(clients, runner):
    """The public route is the runner's alone."""
    result = runner(order(), unit="cron.service")
    clients.refused(result, "WORKLOAD_NOT_ALLOWED")
