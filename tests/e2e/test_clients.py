"""Unmodified clients, each used and each refused."""

import json
import re

import pytest

from lab import names, paths, zones

SHOWN = re.compile(r"PUBLIC_ADDRESS|HOST_NOT_ALLOWED|WORKLOAD_NOT_ALLOWED")
FOREIGN = zones.ROUTES["R1"][0]


MLFLOW_ENV = {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "9",
}
MLFLOW = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow, mlflow.pyfunc
class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * x for x in model_input]
name = sys.argv[1]
mlflow.set_experiment(name)
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


def _mlflow_lines(result):
    lines = result.out.splitlines()
    return [x for x in lines if x[:1] in "{h["]


@pytest.mark.parametrize("how", ["azureml", "token"])
def test_mlflow_logs_registers_and_loads(azure, agent, untouched, how):
    azure.call("mlflow")
    env = {**MLFLOW_ENV, "MLFLOW_TRACKING_URI": names.TRACKING_URI}
    code = MLFLOW
    if how == "token":
        uri = names.TRACKING_URI.replace("azureml:", "https:")
        env["MLFLOW_TRACKING_URI"] = uri
        code = f"""
import os
from azure.identity import DefaultAzureCredential
os.environ["MLFLOW_TRACKING_TOKEN"] = DefaultAzureCredential().get_token(
    "{names.ARM_AUDIENCE}.default").token
import mlflow
mlflow.set_experiment("token")
with mlflow.start_run() as run:
    mlflow.log_param("alpha", 1)
    mlflow.log_metric("loss", 0.5)
seen = mlflow.get_run(run.info.run_id).data
print(seen.params, seen.metrics)
"""
    result = agent.python(code, how, env=env, timeout_s=120)
    expected = ["{'alpha': '1'} {'loss': 0.5}", "hello", "[2, 4, 6]"]
    if how == "token":
        expected = expected[:1]
    assert _mlflow_lines(result) == expected, result


def test_mlflow_refused_shows_the_code(agent, untouched):
    env = {
        **MLFLOW_ENV,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_TRACKING_TOKEN": "x",
        "MLFLOW_TRACKING_URI": f"https://{FOREIGN}",
    }
    code = "import mlflow; mlflow.set_experiment('x')"
    result = agent.python(code, env=env, timeout_s=120)
    assert result.code != 0
    assert SHOWN.search(result.out + result.err), result


def test_run_gives_a_command_the_environment(agent):
    argv = ["run", "--", "curl", "-sS", "--cacert", str(paths.CA_FILE)]
    result = agent.cli(*argv, f"https://{zones.ROUTES['R3'][0]}/x")
    assert json.loads(result.out)["target"] == "/x"
    assert agent.cli("run", "--", "sh", "-c", "exit 7").code == 7


def test_the_users_no_proxy_is_merged(agent):
    env = {"NO_PROXY": f"corp.example,{names.ACCT1}"}
    result = agent.cli("env", "--shell", "json", env=env)
    merged = json.loads(result.out)["NO_PROXY"].split(",")
    assert {"corp.example", "127.0.0.1", "localhost"} <= set(merged)
    assert names.ACCT1 in result.err


def test_env_warns_of_what_the_policy_governs_and_of_nothing_else(agent):
    zone = zones.WEB.split(".", 1)[1]
    env = {"NO_PROXY": f"corp.example,.{zone},login.example"}
    result = agent.cli("env", "--shell", "json", env=env)
    assert f'".{zone}"' in result.err
    assert "corp.example" not in result.err
    assert "login.example" not in result.err
