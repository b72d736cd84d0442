"""`why` about somebody else: their facts, and never the asker's own."""

import json

from lab import zones
from lab.daemon import CLI

JOB = "system.slice/job-1.service"


def why(agent, *words):
    """Root asks, who sits in a job's unit."""
    argv = [CLI, "why", zones.PLAIN_HOSTS[1], "--json", *words]
    result = agent.lab.run_as("root", argv, unit=JOB)
    return json.loads(result.out)


def test_a_user_is_judged_in_no_unit_unless_one_is_given(agent):
    said = why(agent, "--user", "alice")
    assert said["code"] == "WORKLOAD_NOT_ALLOWED", said
    assert 'rule "jobs-web"' in said["note"]
    assert "--unit" in said["note"]
    said = why(agent, "--user", "alice", "--unit", "job-2.service")
    assert (said["verdict"], said["rule"]) == ("allow", "jobs-web"), said
    assert "note" not in said


def test_without_a_user_the_askers_own_unit_counts(agent):
    said = why(agent)
    assert (said["verdict"], said["rule"]) == ("allow", "jobs-web"), said
