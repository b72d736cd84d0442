"""The notebook recipe does what it says, followed word for word."""

import follower
import pytest
from follower import ENDPOINT, METADATA


@pytest.fixture(scope="module")
def notebook(azure, debian):
    """A host on which the notebook recipe has been followed."""
    with follower.host_of_people(azure, debian) as host:
        page = follower.Follower(host, "notebook-host.md")
        page.follow(1, 2)
        page.before = follower.ways_out(host, "alice")
        page.follow(3, 4)
        for user in ("alice", "bob"):
            follower.settled(host, f"jupyter@{user}.service", follower.REFUSED)
        page.person = page.as_person(5, "alice")
        page.follow(6)
        yield page


def test_a_notebook_is_recorded_under_its_unit(notebook):
    follower.check_client(notebook.host, "jupyter@alice.service", "alice")


def test_a_person_without_a_grant_gets_no_token(notebook):
    unit = "jupyter@bob.service"
    seen = follower.records(notebook.host, unit)
    assert follower.NO_TOKEN in seen
    assert follower.GOT_TOKEN not in seen
    assert "has the data" not in notebook.host.journal(unit)


def test_a_person_sees_the_refusal_that_the_page_shows(notebook):
    (curl, _), done = notebook.person
    assert curl in done.err
    assert done.code == 1
    assert '"hosts"' in done.out and "example.org" in done.out


def test_the_notebook_page_ends_with_an_audit_that_verifies(notebook):
    query, verify = list(notebook.printed)[-2:]
    assert "example.org" in notebook.printed[query]
    assert "verify" in verify
    assert notebook.printed[verify].startswith("sound: ")


def test_the_lock_leaves_governed_people_nothing_but_the_agent(notebook):
    assert set(notebook.before.values()) == {0}
    for user in ("alice", "bob"):
        assert set(follower.ways_out(notebook.host, user).values()) == {7}
    again = notebook.host.must(
        'eval "$(wayleave env)"; /opt/jobs/train.py', user="alice"
    )
    assert "has the data" in again


def test_the_lock_keeps_the_metadata_service_from_everybody_else(notebook):
    assert follower.direct(notebook.host, "jobs", METADATA) == 7
    assert follower.direct(notebook.host, "jobs", ENDPOINT) == 0
    assert follower.direct(notebook.host, "root", METADATA) == 0


def test_after_a_boot_the_lock_stands_before_the_notebooks(notebook):
    host = notebook.host
    host.poweroff()
    host.boot()
    when = "ActiveEnterTimestampMonotonic"
    lock = host.show("wayleave-egress.service", "ActiveState", when)
    assert lock["ActiveState"] == "active"
    assert 0 < int(lock[when]) < int(host.show("sockets.target", when))
    assert int(lock[when]) < int(host.show("wayleaved.service", when))
    assert set(follower.ways_out(host, "alice").values()) == {7}


def test_no_notebook_runs_where_the_lock_failed(notebook):
    host = notebook.host
    unit = "jupyter@alice.service"
    path = "/etc/wayleave/egress-users.nft"
    good = host.read(path)
    host.must(f"systemctl start {unit}")
    host.write(path, good.replace("alice", "nobody-of-this-name"))
    assert host.run("systemctl reload wayleave-egress.service").code != 0
    assert host.run("systemctl restart wayleave-egress.service").code != 0
    assert host.show(unit, "ActiveState") == "inactive"
    assert host.run(f"systemctl start {unit}").code != 0
    host.write(path, good)
    host.must(f"systemctl start {unit}")
    assert set(follower.ways_out(host, "alice").values()) == {7}


def test_no_notebook_runs_where_the_locks_file_went(notebook):
    host = notebook.host
    lock = "wayleave-egress.service"
    unit = "jupyter@alice.service"
    path = "/etc/wayleave/egress-users.nft"
    host.must(f"systemctl start {unit}")
    host.must(f"mv {path} {path}.away")
    assert host.run(f"systemctl restart {lock}").code != 0
    assert set(follower.ways_out(host, "alice").values()) == {7}
    assert host.show(unit, "ActiveState") == "inactive"
    assert host.run(f"systemctl start {unit}").code != 0
    host.must(f"mv {path}.away {path}")
    # systemd counts starts, and the tests before this one did many.
    host.must(f"systemctl reset-failed {lock}; systemctl start {unit}")
    assert set(follower.ways_out(host, "alice").values()) == {7}


def test_a_failed_reload_of_the_lock_leaves_it_as_it_was(notebook):
    host = notebook.host
    path = "/etc/wayleave/egress-users.nft"
    good = host.read(path)
    host.write(path, good.replace("alice", "nobody-of-this-name"))
    assert host.run("systemctl reload wayleave-egress.service").code != 0
    assert set(follower.ways_out(host, "alice").values()) == {7}
    # nft's pattern would match nothing, and the set would be empty.
    host.must(f"mv {path} {path}.away")
    assert host.run("systemctl reload wayleave-egress.service").code != 0
    assert set(follower.ways_out(host, "alice").values()) == {7}
    host.must(f"mv {path}.away {path}")
    host.write(path, good.replace("alice, ", ""))
    host.must("systemctl reload wayleave-egress.service")
    assert follower.direct(host, "alice", ENDPOINT) == 0
    assert follower.direct(host, "bob", ENDPOINT) == 7
    host.write(path, good)
    host.must("systemctl reload wayleave-egress.service")
    assert set(follower.ways_out(host, "alice").values()) == {7}


def test_a_failed_restart_of_the_lock_leaves_it_as_it_was(notebook):
    host = notebook.host
    unit = "wayleave-egress.service"
    path = "/etc/wayleave/egress-users.nft"
    good = host.read(path)
    host.write(path, good.replace("alice", "nobody-of-this-name"))
    assert host.run(f"systemctl restart {unit}").code != 0
    assert host.show(unit, "ActiveState") == "failed"
    assert set(follower.ways_out(host, "alice").values()) == {7}
    host.write(path, good)
    # systemd counts starts, and the tests before this one did many.
    host.must(f"systemctl reset-failed {unit}; systemctl start {unit}")
    assert set(follower.ways_out(host, "alice").values()) == {7}
    host.must(f"systemctl stop {unit}")
    assert follower.direct(host, "alice", ENDPOINT) == 0
    host.must(f"systemctl start {unit}")
    assert set(follower.ways_out(host, "alice").values()) == {7}
