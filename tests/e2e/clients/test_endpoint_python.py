"""Scoring a managed online endpoint, blue and green."""

import json

import pytest

from lab import names

SCORE = """
import json, sys, requests
from azure.identity import DefaultAzureCredential
token = DefaultAzureCredential().get_token(sys.argv[2] + "/.default").token
fields = {"Authorization": "Bearer " + token}
for which in sys.argv[3:]:
    if which != "any":
        fields["azureml-model-deployment"] = which
    a = requests.post(f"https://{sys.argv[1]}/score", headers=fields,
                      json={"data": [1, 2, 3]})
    print(a.status_code, a.headers.get("azureml-model-deployment"), a.text)
"""


@pytest.mark.parametrize(
    "which, factor", [("any", 2), ("blue", 2), ("green", 3)]
)
def test_a_deployment_is_scored(clients, untouched, which, factor):
    result = clients.python(SCORE, names.SCORE, names.ML_AUDIENCE, which)
    status, deployment, answer = result.out.strip().split(" ", 2)
    assert (status, deployment) == ("200", which.replace("any", "blue"))
    assert json.loads(answer)["predictions"] == [factor * x for x in (1, 2, 3)]
    assert clients.allowed(names.SCORE) == 1


def test_the_endpoints_own_refusals_come_through(clients, untouched):
    wrong = names.STORAGE_AUDIENCE
    result = clients.python(SCORE, names.SCORE, wrong, "blue")
    assert result.out.startswith("401"), result
    missing = clients.python(SCORE, names.SCORE, names.ML_AUDIENCE, "red")
    assert missing.out.startswith("404"), missing


def test_another_endpoint_is_refused(clients, untouched):
    host = names.SCORE.replace("ep1.", "ep2.")
    result = clients.python(SCORE, host, names.ML_AUDIENCE, "blue")
    clients.refused(result, "HOST_NOT_ALLOWED")
