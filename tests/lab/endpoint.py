"""A managed online endpoint: its deployments, their models, its traffic; and
Resource Manager's interface to it."""

import itertools
import json
import re
import subprocess
import threading

from . import names, paths
from .stub import Stub

# Serves a registered model as a deployment's container does: one line of
# rows in, one line of predictions out.
SERVER = """
import json, sys, warnings
warnings.simplefilter("ignore")
import mlflow.pyfunc, numpy
model = mlflow.pyfunc.load_model(sys.argv[1])
print("up", flush=True)
for line in sys.stdin:
    rows = numpy.array(json.loads(line), dtype=float).reshape(-1, 1)
    print(json.dumps(model.predict(rows).tolist()), flush=True)
"""
ID = (
    f"/subscriptions/{names.SUBSCRIPTION}/resourceGroups/{names.GROUP}"
    "/providers/Microsoft.MachineLearningServices/workspaces/"
    f"{names.WORKSPACE}/onlineEndpoints/ep1"
)


class Model:
    """A registered model in a process of its own, as the endpoint's own
    identity, which is the machine's."""

    def __init__(self, uri):
        self._lock = threading.Lock()
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(paths.STATE),
            "GIT_PYTHON_REFRESH": "quiet",
            "MLFLOW_TRACKING_URI": names.TRACKING_URI,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "SSL_CERT_FILE": str(paths.CA_FILE),
            "REQUESTS_CA_BUNDLE": str(paths.CA_FILE),
        }
        with open(paths.STATE / "deployment.log", "ab") as log:
            self._process = subprocess.Popen(
                [paths.PYTHON, "-c", SERVER, uri],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=env,
            )
        self.up = self._process.stdout.readline().strip() == "up"

    def __call__(self, rows):
        with self._lock:
            self._process.stdin.write(json.dumps(rows) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def end(self):
        self._process.kill()
        self._process.wait()


class Endpoint:
    """What Resource Manager sets and /score obeys."""

    def __init__(self):
        self.lock = threading.Lock()
        self.models = {}
        self.operations = {}
        self._asked = itertools.count()
        self.reset()

    def reset(self):
        """Blue doubles and has the traffic, green trebles."""
        with self.lock:
            for model in self.models.values():
                if isinstance(model, Model):
                    model.end()
            self.traffic = {"blue": 100}
            self.sources = {}
            self.models = {
                "blue": lambda rows: [2 * x for x in rows],
                "green": lambda rows: [3 * x for x in rows],
            }

    def choose(self):
        """A deployment by its share: of each hundred requests, so many."""
        at = next(self._asked) % 100
        for name, share in sorted(self.traffic.items()):
            if at < share:
                return name
            at -= share
        return None

    def deploy(self, name, source):
        """Load azureml:NAME:VERSION behind a deployment; returns the
        operation's number."""
        number = f"op-{len(self.operations) + 1}"
        self.operations[number] = "InProgress"
        threading.Thread(
            target=self._deploy, args=(number, name, source), daemon=True
        ).start()
        return number

    def _deploy(self, number, name, source):
        _, model, version = source.split(":")
        loaded = Model(f"models:/{model}/{version}")
        if loaded.up:
            with self.lock:
                self.models[name] = loaded
                self.sources[name] = source
        self.operations[number] = "Succeeded" if loaded.up else "Failed"


class Score(Stub):
    """The endpoint's own address; state is an Endpoint."""

    def answer(self, path, query, data, who):
        if path != "/score" or self.command != "POST":
            self.not_found()
            return
        which = self.headers.get("azureml-model-deployment")
        which = which or self.state.choose()
        if which not in self.state.models:
            error = f"deployment {which} does not exist"
            self.reply(404, {"error": {"message": error}})
            return
        rows = json.loads(data)["data"]
        self.reply(
            200,
            {"predictions": self.state.models[which](rows)},
            {"azureml-model-deployment": which},
        )


def operation_url(number):
    return (
        f"https://{names.ARM}/subscriptions/{names.SUBSCRIPTION}/providers/"
        "Microsoft.MachineLearningServices/locations/"
        f"{names.REGION}/mfeOperationsStatus/{number}"
    )


def manage(handler, endpoint, path, data, who):
    """Answer what Resource Manager is asked of the endpoint; False: it was
    asked something else."""
    done = re.search(r"/mfeOperationsStatus/(op-\d+)$", path)
    if done:
        told = endpoint.operations.get(done[1], "Failed")
        handler.reply(200, {"status": told})
        return True
    if not path.lower().startswith(ID.lower()):
        return False
    if handler.command == "PUT" and who not in names.WRITERS:
        text = f"The client '{who}' does not have authorization to write."
        error = {"code": "AuthorizationFailed", "message": text}
        handler.reply(403, {"error": error})
        return True
    order = json.loads(data)["properties"] if data else None
    deployment = re.match(r"^/deployments/([a-z0-9-]+)$", path[len(ID) :])
    if deployment:
        _deployment(handler, endpoint, deployment[1], order)
    elif path.lower() == ID.lower():
        _traffic(handler, endpoint, order)
    else:
        handler.not_found()
    return True


def _deployment(handler, endpoint, name, order):
    if handler.command == "PUT":
        number = endpoint.deploy(name, order["model"])
        fields = {"Azure-AsyncOperation": operation_url(number)}
        told = {"provisioningState": "Creating", "model": order["model"]}
        handler.reply(201, {"name": name, "properties": told}, fields)
        return
    if name not in endpoint.models:
        handler.not_found()
        return
    told = {"provisioningState": "Succeeded"}
    told["model"] = endpoint.sources.get(name)
    handler.reply(200, {"name": name, "properties": told})


def _traffic(handler, endpoint, order):
    if handler.command == "PUT":
        wanted = order["traffic"]
        sound = sum(wanted.values()) in (0, 100)
        if not sound or not set(wanted) <= set(endpoint.models):
            error = {"code": "BadArgument", "message": "traffic is not 100"}
            handler.reply(400, {"error": error})
            return
        with endpoint.lock:
            endpoint.traffic = wanted
    told = {"traffic": endpoint.traffic, "provisioningState": "Succeeded"}
    told["scoringUri"] = f"https://{names.SCORE}/score"
    handler.reply(200, {"id": ID, "name": "ep1", "properties": told})
