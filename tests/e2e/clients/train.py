"""The Databricks job of the bridge: trains on the lake's data, logs to Azure
ML, registers the model; prints what it made as JSON. Args: where, name."""

import json
import sys
import warnings

import mlflow
import mlflow.sklearn
import numpy
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobClient
from sklearn.linear_model import LinearRegression

warnings.simplefilter("ignore")


def load(url):
    """Two columns: x, y."""
    text = BlobClient.from_blob_url(url, DefaultAzureCredential())
    lines = text.download_blob().readall().decode().split()
    table = numpy.array([line.split(",") for line in lines], dtype=float)
    return table[:, :1], table[:, 1]


def main(url, name):
    x, y = load(url)
    mlflow.set_experiment(name)
    with mlflow.start_run() as run:
        model = LinearRegression().fit(x, y)
        rmse = float(numpy.sqrt(numpy.mean((model.predict(x) - y) ** 2)))
        mlflow.log_param("rows", len(y))
        mlflow.log_metric("rmse", rmse)
        mlflow.sklearn.log_model(model, "model", pip_requirements=[])
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", name)
    told = {"run": run.info.run_id, "version": version.version, "rmse": rmse}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
