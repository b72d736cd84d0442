"""A Databricks workspace: jobs that really run, clusters, Unity Catalog."""

import json
import re
import threading
import time

from . import stub

# table -> who has which privileges on it; nobody else sees it.
TABLES = {
    "main.ml.t1": {"alice": ["SELECT"], "host": ["SELECT", "MODIFY"]},
    "main.ml.t2": {"alice": ["SELECT"]},
    "main.ml.t3": {"alice": ["SELECT", "MODIFY"]},
    "main.ml.pay": {"host": ["SELECT"]},
}
PAGE = 2
CLUSTERS = {
    "1123-080000-lab1": {"cluster_name": "etl", "state": "RUNNING"},
    "1123-080000-lab2": {"cluster_name": "gpu", "state": "TERMINATED"},
}


class Workspace:
    """The jobs of one workspace and their runs; spawner runs the tasks."""

    def __init__(self, spawner):
        self._spawner = spawner
        self._lock = threading.Lock()
        self.jobs = {}
        self.runs = {}

    def define(self, job, argv, **order):
        """What the job's Python task runs, as whom (see Spawner.run)."""
        self.jobs[job] = {"argv": [str(a) for a in argv], "order": order}

    def run_now(self, job, parameters):
        """Start the task; returns the run's number."""
        task = self.jobs[job]
        with self._lock:
            number = len(self.runs) + 1
            run = {"job": job, "start": int(time.time() * 1000), "end": None}
            self.runs[number] = run
        threading.Thread(
            target=self._work, args=(run, task, parameters), daemon=True
        ).start()
        return number

    def _work(self, run, task, parameters):
        run["result"] = self._spawner.run(
            [*task["argv"], *parameters], **task["order"]
        )
        run["end"] = int(time.time() * 1000)


def table(name):
    catalog, schema, last = name.split(".")
    return {
        "catalog_name": catalog,
        "schema_name": schema,
        "name": last,
        "full_name": name,
        "table_type": "MANAGED",
        "data_source_format": "DELTA",
        "owner": "host",
    }


def described(number, run):
    """A run as the Jobs interface describes it."""
    state = {"life_cycle_state": "RUNNING", "state_message": ""}
    if run["end"]:
        good = run["result"]["code"] == 0
        state["life_cycle_state"] = "TERMINATED"
        state["result_state"] = "SUCCESS" if good else "FAILED"
    told = {
        "run_id": number,
        "job_id": run["job"],
        "number_in_job": number,
        "start_time": run["start"],
        "state": state,
    }
    if run["end"]:
        told["end_time"] = run["end"]
    return told


class Databricks(stub.Stub):
    """state is a Workspace."""

    open_paths = ("/.well-known/databricks-config",)

    def answer(self, path, query, data, who):
        if path in self.open_paths:
            told = {"oidc_endpoint": f"https://{self.host}/oidc"}
            self.reply(200, {**told, "workspace_id": "1234567890123456"})
            return
        rest = re.sub(r"^/api/2\.[012]/", "", path)
        query = {k: v[0] for k, v in query.items()}
        for area in ("jobs", "clusters", "unity-catalog"):
            if rest.startswith(area + "/"):
                method = getattr(self, "_" + area.replace("-", "_"))
                method(rest[len(area) + 1 :], query, data, who)
                return
        if rest == "preview/scim/v2/Me":
            self.reply(200, {"id": "1", "userName": who})
            return
        self.deny(404, "ENDPOINT_NOT_FOUND", f"no interface {path}")

    def deny(self, status, code, message):
        self.reply(status, {"error_code": code, "message": message})

    def refuse(self, e):
        code = "PERMISSION_DENIED" if e.status == 403 else "UNAUTHENTICATED"
        self.deny(e.status, code, str(e))

    def _jobs(self, what, query, data, who):
        if what == "run-now" and self.command == "POST":
            self._run_now(json.loads(data))
            return
        number = int(query.get("run_id", 0))
        run = self.state.runs.get(number)
        if run is None:
            text = f"Run {number} does not exist."
            self.deny(400, "INVALID_PARAMETER_VALUE", text)
        elif what == "runs/get":
            self.reply(200, described(number, run))
        elif what == "runs/get-output":
            self._output(number, run)
        else:
            self.deny(404, "ENDPOINT_NOT_FOUND", what)

    def _run_now(self, order):
        job = order["job_id"]
        if job not in self.state.jobs:
            text = f"Job {job} does not exist."
            self.deny(400, "INVALID_PARAMETER_VALUE", text)
            return
        number = self.state.run_now(job, order.get("python_params", []))
        self.reply(200, {"run_id": number, "number_in_job": number})

    def _output(self, number, run):
        told = {"metadata": described(number, run)}
        if run["end"]:
            told["logs"] = run["result"]["out"]
            told["logs_truncated"] = False
            if run["result"]["code"] != 0:
                told["error"] = run["result"]["err"][-2000:]
        self.reply(200, told)

    def _clusters(self, what, query, data, who):
        if what == "list":
            listed = [{"cluster_id": i, **c} for i, c in CLUSTERS.items()]
            self.reply(200, {"clusters": listed})
            return
        ident = query.get("cluster_id")
        if what == "get" and ident in CLUSTERS:
            self.reply(200, {"cluster_id": ident, **CLUSTERS[ident]})
            return
        text = f"Cluster {ident} does not exist"
        self.deny(400, "INVALID_PARAMETER_VALUE", text)

    def _unity_catalog(self, what, query, data, who):
        if what == "tables":
            self._tables(query, who)
            return
        kind, _, name = what.rpartition("/")
        known = kind.lower() in ("tables", "permissions/table")
        if not known or name not in TABLES:
            text = f"'{name}' does not exist."
            self.deny(404, "TABLE_DOES_NOT_EXIST", text)
        elif who not in TABLES[name]:
            text = f"User does not have SELECT on Table '{name}'."
            self.deny(403, "PERMISSION_DENIED", text)
        elif kind == "tables":
            self.reply(200, table(name))
        else:
            granted = [
                {"principal": p, "privileges": v}
                for p, v in TABLES[name].items()
            ]
            self.reply(200, {"privilege_assignments": granted})

    def _tables(self, query, who):
        """Pages of what the caller may see, as the service lists them."""
        within = f"{query.get('catalog_name')}.{query.get('schema_name')}."
        seen = [
            n for n, g in TABLES.items() if n.startswith(within) and who in g
        ]
        first = int(query.get("page_token", 0))
        told = {"tables": [table(n) for n in seen[first : first + PAGE]]}
        if first + PAGE < len(seen):
            told["next_page_token"] = str(first + PAGE)
        self.reply(200, told)
