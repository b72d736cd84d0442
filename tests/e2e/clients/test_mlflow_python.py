"""mlflow and azureml-mlflow: parameters, metrics, artifacts, models."""

import pytest

from lab import names

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
def test_mlflow_logs_registers_and_loads(azure, clients, untouched, how):
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
    result = clients.python(code, how, env=env, timeout_s=120)
    expected = ["{'alpha': '1'} {'loss': 0.5}", "hello", "[2, 4, 6]"]
    if how == "token":
        expected = expected[:1]
    assert _mlflow_lines(result) == expected, result


REFUSED = """
import os
os.environ["MLFLOW_TRACKING_TOKEN"] = "x"
import mlflow
mlflow.set_experiment("x")
"""


@pytest.mark.parametrize("how", ["azureml", "token"])
def test_mlflow_refused_shows_the_code(clients, hosts, untouched, how):
    """azureml-mlflow asks for its token before it calls the workspace."""
    env = {**MLFLOW_ENV, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    where = names.TRACKING_URI.replace(names.AZUREML, hosts["foreign"])
    if how == "token":
        where = f"https://{hosts['foreign']}"
    env["MLFLOW_TRACKING_URI"] = where
    code = (
        REFUSED
        if how == "token"
        else "import mlflow\nmlflow.set_experiment('x')"
    )
    clients.refused(clients.python(code, env=env, timeout_s=120))
