"""What a CONNECT may name: rows 1 to 68 of the table of hostile inputs."""

import json

import pytest

from corpora import authorities
from lab import daemon, names, paths


@pytest.fixture(scope="module")
def answers(_session_agent):
    asked = {row: texts for row, (texts, _) in authorities.ROWS.items()}
    result = _session_agent.lab.run_as(
        "alice",
        [paths.PYTHON, "-m", "corpora.authorities", "127.0.0.1:3180"],
        env={"PYTHONPATH": str(paths.SRC / "tests")},
        stdin=json.dumps(asked),
    )
    assert result.code == 0, result
    return json.loads(result.out)


@pytest.mark.parametrize("row", authorities.ROWS)
def test_an_authority_has_its_answer(answers, row):
    texts, fitting = authorities.ROWS[row]
    for text, answer in zip(texts, answers[str(row)], strict=True):
        assert tuple(answer) in fitting, text


def test_a_deny_rule_by_units_holds_where_no_unit_is_known(agent, another):
    """Without cgroup2 nobody's unit is known: what is forbidden to some
    units is forbidden to all, and what is allowed to some to none."""
    units = {"workloads": ["jobs"]}
    rules = daemon.policy()
    rules["rules"] = [
        {"id": "a", "effect": "allow", "hosts": [names.ACCT1, names.VAULT]},
        {"id": "b", "effect": "deny", "hosts": [names.ACCT1], **units},
        {"id": "c", "effect": "allow", "hosts": [names.ARM], **units},
    ]
    listen = {"proxy": ["127.0.0.1:4180"]}
    listen["control"] = "/run/wayleave/blind/control.sock"
    ready, _, log = another(
        "blind", listen=listen, cgroup_root="/nowhere", policy=rules
    )
    assert ready, log
    denied, allowed, missing = agent.probe(
        *(
            {"host": h, "proxy": ["127.0.0.1", 4180]}
            for h in (names.ACCT1, names.VAULT, names.ARM)
        ),
        unit="job-1.service",
    )
    body = json.loads(denied["body"])
    assert body["code"] == "RULE_DENIES"
    assert "the client's cgroup could not be found out" in body["unmet"]
    assert "mount cgroup2" in body["fix"]
    assert allowed["status"] == 200
    assert json.loads(missing["body"])["code"] == "WORKLOAD_NOT_ALLOWED"
