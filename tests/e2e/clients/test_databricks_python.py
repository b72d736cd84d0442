"""databricks-sdk with the metadata service's authentication."""

import pytest

from lab import names

START = f"""
import sys
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
c = Config(host="https://{names.DATABRICKS}", auth_type="metadata-service",
           retry_timeout_seconds=2)
w = WorkspaceClient(config=c)
"""

JOB = 41


@pytest.fixture
def sdk(clients):
    def run(code, *args, **order):
        return clients.python(START + code, *args, **order)

    return run


def test_a_job_runs_and_its_result_is_read(azure, clients, sdk, untouched):
    task = "import sys; print(sum(map(int, sys.argv[1:])))"
    azure.call("job", job=JOB, argv=["python3", "-c", task], user="bob")
    result = sdk(f"""
run = w.jobs.run_now(job_id={JOB}, python_params=["19", "23"]).result()
print(run.state.result_state.value, w.jobs.get_run_output(run.run_id).logs)
""")
    assert result.out.split() == ["SUCCESS", "42"], result
    assert clients.allowed(names.DATABRICKS)


def test_a_job_that_fails_says_so(azure, sdk):
    argv = ["python3", "-c", "raise SystemExit('no data')"]
    azure.call("job", job=JOB + 1, argv=argv, user="bob")
    result = sdk(f"""
run = w.jobs.run_now(job_id={JOB + 1})
end = w.jobs.wait_get_run_job_terminated_or_skipped(run.run_id)
print(end.state.result_state.value, w.jobs.get_run_output(run.run_id).error)
""")
    assert result.out.split() == ["FAILED", "no", "data"], result


def test_clusters_are_listed(sdk, untouched):
    result = sdk("""
for c in w.clusters.list():
    print(c.cluster_name, c.state.value, w.clusters.get(c.cluster_id).state)
""")
    assert result.out.splitlines() == [
        "etl RUNNING State.RUNNING",
        "gpu TERMINATED State.TERMINATED",
    ], result


def test_unity_catalog_lists_tables_and_permissions(sdk, untouched):
    result = sdk("""
print(*(t.full_name for t in w.tables.list("main", "ml")))
for a in w.grants.get("table", "main.ml.t1").privilege_assignments:
    print(a.principal, *(p.value for p in a.privileges))
""")
    assert result.out.splitlines() == [
        "main.ml.t1 main.ml.t2 main.ml.t3",
        "alice SELECT",
        "host SELECT MODIFY",
    ], result


def test_unity_catalogs_own_refusal_comes_through(sdk):
    result = sdk("w.tables.get('main.ml.pay')")
    assert result.code != 0
    assert "PermissionDenied" in result.err
    assert "SELECT on Table 'main.ml.pay'" in result.err


def test_a_workspace_without_private_endpoint_is_refused(clients, untouched):
    code = START.replace(names.DATABRICKS, names.DATABRICKS_PUBLIC)
    result = clients.python(code + "w.current_user.me()")
    clients.refused(result, "PUBLIC_ADDRESS")


def test_who_has_no_grant_gets_no_token(clients, untouched):
    """The SDK drops the broker's answer."""
    result = clients.told(START, user="bob")
    assert "Metadata Service returned empty token" in result.err, result
    clients.refused(result, "TOKEN_NOT_ALLOWED")
