"""Clients that hold no token and can get none: a gateway adds it."""

import json

import pytest

from lab import clients as programs
from lab import gateways, names, paths

URL = {n: f"http://127.0.0.1:{port}" for n, port in gateways.PORTS.items()}

MLFLOW = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow, mlflow.pyfunc
class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * x for x in model_input]
name = sys.argv[1]
at = f"mlflow-artifacts:/{name}"
mlflow.set_experiment(
    experiment_id=mlflow.create_experiment(name, artifact_location=at))
with mlflow.start_run() as run:
    mlflow.log_param("alpha", 1)
    mlflow.log_metric("loss", 0.5)
    mlflow.log_text("hello", "notes/a.txt")
    mlflow.pyfunc.log_model("model", python_model=Twice(),
                            pip_requirements=[])
version = mlflow.register_model(f"runs:/{run.info.run_id}/model", name)
seen = mlflow.get_run(run.info.run_id).data
print(seen.params, seen.metrics)
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/notes/a.txt"))
model = mlflow.pyfunc.load_model(f"models:/{name}/{version.version}")
print(model.predict([1, 2, 3]))
"""
MLFLOW_ENV = {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "9",
    "MLFLOW_TRACKING_URI": URL["mlflow"],
}


@pytest.fixture
def bare(gates, clients):
    """Runs a client with a gateway's address and nothing else: no token,
    and nobody who gives one. Its calls are seen in the audit."""

    def run(argv, env=None, **order):
        result = gates.lab.run_as("alice", argv, env=env or {}, **order)
        mine = [
            r
            for r in clients.records()
            if (r.get("workload") or {}).get("user") == "alice"
        ]
        assert {r["event"] for r in mine} <= {"open", "request"}
        assert {r["protocol"] for r in mine} <= {"gateway"}
        found = [r for r in mine if r["event"] == "open"]
        assert all(r["injected"]["token_id"] for r in found)
        result.hosts = {r["host"] for r in found}
        return result

    return run


def test_mlflow_logs_registers_and_loads(azure, bare, untouched):
    azure.call("mlflow")
    argv = [paths.PYTHON, "-c", MLFLOW, "by-gateway"]
    result = bare(argv, MLFLOW_ENV, timeout_s=120)
    lines = [x for x in result.out.splitlines() if x[:1] in "{h["]
    expected = ["{'alpha': '1'} {'loss': 0.5}", "hello", "[2, 4, 6]"]
    assert lines == expected, result
    assert result.hosts == {names.AZUREML}


JOB = 61
DATABRICKS = f"""
from databricks.sdk import WorkspaceClient
w = WorkspaceClient()
run = w.jobs.run_now(job_id={JOB}, python_params=["19", "23"]).result()
print(run.state.result_state.value, w.jobs.get_run_output(run.run_id).logs)
print(*(t.full_name for t in w.tables.list("main", "ml")))
"""


def test_a_databricks_job_runs_and_its_result_is_read(azure, bare, untouched):
    task = "import sys; print(sum(map(int, sys.argv[1:])))"
    azure.call("job", job=JOB, argv=["python3", "-c", task], user="bob")
    env = {
        "DATABRICKS_HOST": URL["databricks"],
        "DATABRICKS_TOKEN": gateways.PLACEHOLDER,
    }
    result = bare([paths.PYTHON, "-c", DATABRICKS], env, timeout_s=120)
    assert result.out.splitlines() == [
        "SUCCESS 42",
        "",
        "main.ml.t1 main.ml.t2 main.ml.t3",
    ], result
    assert result.hosts == {names.DATABRICKS}


@pytest.mark.parametrize(
    "which, factor", [(None, 2), ("blue", 2), ("green", 3)]
)
def test_an_endpoint_is_scored(bare, untouched, which, factor):
    argv = ["curl", "-sS", "-D", "-", "-d", json.dumps({"data": [1, 2, 3]})]
    argv += ["-H", "Content-Type: application/json"]
    if which:
        argv += ["-H", f"azureml-model-deployment: {which}"]
    result = bare([*argv, URL["score"] + "/score"])
    top, _, body = result.out.replace("\r", "").partition("\n\n")
    assert " 200 " in top.splitlines()[0], result
    assert f"azureml-model-deployment: {which or 'blue'}" in top
    assert json.loads(body)["predictions"] == [factor * x for x in (1, 2, 3)]
    assert result.hosts == {names.SCORE}


SPARK = """
import json, sys, urllib.request
from pyspark import SparkFiles
from pyspark.sql import SparkSession
score_at, file_at = sys.argv[1:]
spark = (SparkSession.builder.master("local[1]")
         .config("spark.ui.enabled", "false").getOrCreate())
def score(rows):
    data = json.dumps({"data": list(rows)}).encode()
    yield from json.load(urllib.request.urlopen(score_at, data))["predictions"]
numbers = spark.sparkContext.parallelize(range(100), 4)
print(numbers.mapPartitions(score).sum())
spark.sparkContext.addFile(file_at)
print(len(open(SparkFiles.get("1000"), "rb").read()))
"""


@pytest.mark.skipif(
    not programs.installed("spark"), reason="run ./bootstrap setup"
)
def test_spark_scores_on_its_workers_and_fetches_a_file(bare, untouched):
    result = bare(
        [
            *(paths.PYTHON, "-c", SPARK),
            *(URL["score"] + "/score", URL["seen"] + "/bytes/1000"),
        ],
        programs.spark_env(paths.STATE / "none.jks"),
        timeout_s=200,
    )
    assert result.out.split() == [str(2 * sum(range(100))), "1000"], result
    assert result.hosts == {names.SCORE, names.SEEN}


def test_mlflow_shows_why_a_gateway_refused(gates, clients, untouched):
    code = "import mlflow\nmlflow.set_experiment('x')"
    env = {
        **MLFLOW_ENV,
        "MLFLOW_TRACKING_URI": URL["unnamed"],
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    argv = [paths.PYTHON, "-c", code]
    result = gates.lab.run_as("alice", argv, env=env, timeout_s=120)
    clients.refused(result, "HOST_NOT_ALLOWED")
