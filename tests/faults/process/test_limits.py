"""Floods, slow clients and empty pockets: they cost what they may, and pass."""

import json
import pwd
import resource
import signal
import time

from lab import names

from .sizes import HEAD_MS, size

SLOW = size(check=300, full=1000)
# A connection may need two descriptors, and one user has not all of them.
MOST = resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 4
HALF_OPEN = min(size(check=1000, full=10000), MOST)
CHURN = size(check=2000, full=100000)
WARM = 8000
FORKS = size(check=600, full=10000)
HANGUPS = size(check=200, full=2000)
LEAK_KIB, STORM_KIB = 1536, 1024


def held(lines):
    return json.loads(lines[-1])


def test_slow_loris_is_cut_in_time_and_hurts_nobody(process):
    process.load("hammer", 2, 4, "warm")
    time.sleep(1)
    before = process.rss_kib()
    slow = process.start_load("slow.log", "hold", SLOW, "drip", 20)
    time.sleep(3)
    each = (process.rss_kib() - before) / SLOW
    good = process.start_load("good.log", "hammer", 5, 4, "good")
    answers = process.end_load(good, "good.log")
    seen = held(process.end_load(slow, "slow.log"))
    assert seen["cut"] == seen["opened"] == SLOW, seen
    assert seen["last_s"] < HEAD_MS / 1000 + 5, seen
    assert each <= 6, each
    assert len(answers) > 100
    assert {x.split()[1] for x in answers} == {"200"}
    print(
        f"{SLOW} slow: cut after {seen['first_s']} to {seen['last_s']} s, "
        f"{each:.1f} KiB each; {len(answers)} good ones served"
    )


def test_half_open_connections_keep_nobody_out(process):
    process.answers()
    before, fds = process.rss_kib(), process.fds()
    pid = process.start_load("half.log", "hold", HALF_OPEN, "silent", 40)
    most, end = 0, time.monotonic() + 9
    while most < HALF_OPEN and time.monotonic() < end:
        most = max(most, process.fds() - fds)
        time.sleep(0.05)
    each = (process.rss_kib() - before) / max(most, 1)
    assert process.status() == "200"
    seen = held(process.end_load(pid, "half.log", 90))
    assert seen["cut"] == HALF_OPEN, seen
    assert seen["last_s"] < HEAD_MS / 1000 + 5, seen
    assert process.status() == "200"
    print(
        f"{HALF_OPEN} half open ({most} at once): {each:.1f} KiB each, "
        f"cut after {seen['first_s']} to {seen['last_s']} s"
    )


def test_clients_that_are_gone_at_once_are_attributed_right_or_not_at_all(
    process,
):
    """Each user asks for names of their own."""
    users = {u: pwd.getpwnam(u).pw_uid for u in ("alice", "bob")}
    logs = {
        u: process.start_load(f"fork-{u}.log", "fork", FORKS // 2, u, user=u)
        for u in users
    }
    for user, pid in logs.items():
        process.end_load(pid, f"fork-{user}.log", 300)
    process.answers()
    right = unknown = 0
    for record in process.records():
        user, _, rest = (record.get("host") or "").partition("-")
        if user not in users or not rest.endswith(names.FRESH):
            continue
        uid = (record.get("workload") or {}).get("uid")
        if uid is None:
            unknown += 1
            assert record["verdict"] == "deny", record
        else:
            right += 1
            assert uid == users[user], record
    assert right > 0
    print(f"{FORKS} clients: {right} records right, {unknown} unknown")


def test_with_few_descriptors_it_refuses_and_comes_back(process):
    """It knows how many it has: some are told, the others wait outside."""
    said = ("accepting no more for now", "LIMIT_REACHED")
    with process.started_by("prlimit", "--nofile=120:120"):
        process.answers()
        pid = process.start_load("fds.log", "hold", 300, "silent", 15)
        end = time.monotonic() + 15
        while not any(x in process.journal() for x in said):
            assert time.monotonic() < end, process.journal()[-2000:]
            time.sleep(0.1)
        before = process.cpu_s()
        time.sleep(2)
        spent = process.cpu_s() - before
        assert process.fds() <= 120
        process.end_load(pid, "fds.log")
        assert spent < 0.4, spent
        assert process.answers() < 5
    lines = sum(process.journal().count(x) for x in said)
    assert 1 <= lines < 30, lines
    print(f"{spent:.2f} s of CPU in 2 s, with {lines} lines about it")


def test_memory_and_descriptors_are_flat_after_many_connections(process):
    # As many as it remembers of past denials, and more.
    told = process.load("churn", WARM, 16)
    assert int(told[-1]) == WARM
    time.sleep(1)
    before, fds = process.rss_kib(), process.fds()
    told = process.load("churn", CHURN, 16)
    assert int(told[-1]) == CHURN
    time.sleep(1)
    grown, more = process.rss_kib() - before, process.fds() - fds
    assert more <= 2, more
    assert grown <= LEAK_KIB, grown
    print(f"{CHURN} connections: {grown} KiB and {more} descriptors more")


def storm(process):
    """Hang-ups in the middle of a load, which then fills the caches again."""
    pid = process.start_load("hup.log", "hammer", 4, 4, "hup")
    for _ in range(HANGUPS):
        process.agent.kill(signal.SIGHUP)
        time.sleep(0.002)
    answers = process.end_load(pid, "hup.log")
    assert {x.split()[1] for x in answers} == {"200"}
    process.answers()
    return len(answers)


def test_a_storm_of_hangups_costs_no_request_and_leaks_nothing(process):
    process.answers()
    storm(process)
    time.sleep(1)
    before, fds = process.rss_kib(), process.fds()
    served = storm(process)
    time.sleep(1)
    grown, more = process.rss_kib() - before, process.fds() - fds
    assert process.verify().code == 0
    journal = process.journal()
    assert "still writing the old file" not in journal
    assert "audit.head" not in journal
    assert more <= 2, more
    assert grown <= STORM_KIB, grown
    print(f"{HANGUPS} hang-ups, {served} requests: {grown} KiB more")
