"""The job recipe does what it says, followed word for word."""

import json

import follower
import pytest

from lab import names


@pytest.fixture(scope="module")
def jobs(azure, debian):
    """A host on which the job recipe has been followed."""
    with follower.host_of_people(azure, debian) as host:
        follower.Follower(host, "notebook-host.md").follow(1, 2)
        page = follower.Follower(host, "job-host.md")
        page.follow(2)
        page.before = follower.ways_out(host, "jobs")
        page.follow(3, 4, 5)
        yield page


def test_a_job_is_recorded_under_its_unit(jobs):
    follower.check_client(jobs.host, "job-train.service", "jobs")


def test_what_is_no_job_gets_neither_token_nor_data(jobs):
    script = 'eval "$(wayleave env)"; /opt/jobs/train.py'
    done = jobs.host.run(script, user="jobs", unit="not-a-job")
    assert "has the data" not in done.out
    assert follower.NO_TOKEN in follower.records(
        jobs.host, "not-a-job.service"
    )


def test_the_job_page_shows_what_was_reached_and_refused(jobs):
    reached, refused = list(jobs.printed)[-2:]
    assert names.ACCT1 in jobs.printed[reached]
    found = [json.loads(x) for x in jobs.printed[refused].splitlines()]
    assert [r["host"] for r in found] == ["example.org"]


def test_the_lock_leaves_the_job_user_nothing_but_the_agent(jobs):
    assert set(jobs.before.values()) == {0}
    assert set(follower.ways_out(jobs.host, "jobs").values()) == {7}


def test_a_job_starts_the_agent_that_it_requires(jobs):
    host = jobs.host
    host.must("systemctl stop wayleaved.service")
    before = len(follower.records(host, "job-train.service"))
    host.must("systemctl start job-train.service")
    follower.settled(host, "job-train.service", follower.REFUSED)
    assert len(follower.records(host, "job-train.service")) > before
