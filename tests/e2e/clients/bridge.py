"""A workflow from training to traffic, as a self-hosted GitHub Actions runner
inside the network runs it. Nothing proves it but the workflow's own OIDC
token: each service gets a token of the application that trusts it.

Reads an order from stdin (see test_bridge.py) and prints what each step saw.
"""

import json
import os
import sys
import time

import requests
from azure.identity import ClientAssertionCredential
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

API = "?api-version=2024-04-01"


def say(step, **seen):
    print(json.dumps({"step": step, **seen}), flush=True)


def workflow_token():
    """The workflow's proof of itself, from GitHub's provider."""
    answer = requests.get(
        os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"]
        + "&audience=api://AzureADTokenExchange",
        headers={
            "Authorization": "Bearer "
            + os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
        },
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()["value"]


class Azure:
    """Resource Manager and the endpoint, as the federated application."""

    def __init__(self, order):
        self.order = order
        self.credential = ClientAssertionCredential(
            order["tenant"], order["client_id"], workflow_token
        )

    def _call(self, method, url, audience, **more):
        token = self.credential.get_token(audience.rstrip("/") + "/.default")
        fields = {"Authorization": f"Bearer {token.token}"}
        fields.update(more.pop("headers", {}))
        answer = requests.request(
            method, url, headers=fields, timeout=60, **more
        )
        answer.raise_for_status()
        return answer

    def manage(self, method, path, properties=None):
        """One call to the endpoint's resource, waited for to its end."""
        url = self.order["arm"] + self.order["endpoint"] + path + API
        audience = self.order["arm"] + "/"
        more = {"json": {"properties": properties}} if properties else {}
        answer = self._call(method, url, audience, **more)
        following = answer.headers.get("Azure-AsyncOperation")
        while following:
            status = self._call("GET", following, audience).json()["status"]
            if status not in ("InProgress", "Running"):
                if status != "Succeeded":
                    raise SystemExit(f"{method} {path}: {status}")
                break
            time.sleep(0.3)
        return answer.json()

    def score(self, rows, deployment=None):
        """(who answered, its predictions)"""
        fields = {}
        if deployment:
            fields["azureml-model-deployment"] = deployment
        answer = self._call(
            "POST",
            self.order["score"],
            "https://ml.azure.com",
            headers=fields,
            json={"data": rows},
        )
        who = answer.headers["azureml-model-deployment"]
        return who, answer.json()["predictions"]


def train(order):
    """Run the job that trains; returns what it printed."""
    config = Config(
        host=order["databricks"],
        auth_type="github-oidc-azure",
        azure_client_id=order["client_id"],
        azure_tenant_id=order["tenant"],
        retry_timeout_seconds=5,
    )
    client = WorkspaceClient(config=config)
    run = client.jobs.run_now(
        job_id=order["job"], python_params=[order["data"], order["model"]]
    )
    end = client.jobs.wait_get_run_job_terminated_or_skipped(run.run_id)
    output = client.jobs.get_run_output(run.run_id)
    if end.state.result_state.value != "SUCCESS":
        raise SystemExit(f"the job failed: {output.error}")
    return json.loads(output.logs.splitlines()[-1])


def error_of(predictions, truth):
    return sum(abs(p - t) for p, t in zip(predictions, truth)) / len(truth)


def main():
    order = json.load(sys.stdin)
    made = train(order)
    say("train", **made)
    azure = Azure(order)
    model = f"azureml:{order['model']}:{made['version']}"
    deployed = azure.manage("PUT", "/deployments/green", {"model": model})
    say("deploy", model=deployed["properties"]["model"])
    rows, truth = order["holdout"]
    errors = {
        who: error_of(azure.score(rows, who)[1], truth)
        for who in ("blue", "green")
    }
    say("compare", **errors)
    if errors["green"] >= errors["blue"]:
        raise SystemExit("the new model is no better: the traffic stays")
    traffic = {"green": 100, "blue": 0}
    told = azure.manage("PUT", "", {"traffic": traffic})
    say("shift", **told["properties"]["traffic"])
    who, predictions = azure.score(rows[:1])
    say("serve", by=who, predictions=predictions)


if __name__ == "__main__":
    main()
