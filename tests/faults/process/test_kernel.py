"""System calls that fail, and a clock that jumps: no crash, leak or allow."""

import time

import pytest

from lab import paths

from .sizes import size

SECONDS = size(check=2, full=10)

# Those that fail by themselves when memory, descriptors or ports run out.
FEW = [
    ("accept4", "EMFILE"),
    ("write", "ENOSPC"),
    ("sendto", "ENOBUFS"),
]
FAULTS = size(
    check=FEW,
    full=[
        *FEW,
        ("connect", "ENOBUFS"),
        ("epoll_ctl", "ENOMEM"),
        ("accept4", "ENOBUFS"),
        ("accept4", "EIO"),
        ("connect", "EADDRNOTAVAIL"),
        ("socket", "EMFILE"),
        ("write", "EIO"),
        ("recvfrom", "ENOMEM"),
        ("epoll_wait", "EINTR"),
        ("getpeername", "ENOBUFS"),
    ],
)


@pytest.mark.parametrize("call, error", FAULTS)
def test_a_call_that_fails_costs_a_request_and_no_more(process, call, error):
    process.answers()
    name = f"{call}-{error}".lower().replace("_", "-")
    inject = f"inject={call}:error={error}:when=2+3"
    argv = ["strace", "-f", "-qq", "-o", paths.STATE / f"{name}.trace"]
    argv += ["-e", f"trace={call}", "-e", inject, "-p", process.agent.pid]
    fds = process.fds()
    tracer = process.lab.start_as("root", argv, log=f"{name}.strace")
    load = process.start_load(f"{name}.log", "hammer", SECONDS, 4, name)
    lines = process.end_load(load, f"{name}.log")
    process.lab.call("signal", pid=tracer, number=15)
    process.lab.call("wait", pid=tracer, timeout_s=10)
    assert process.is_alive(), process.agent.journal()[-3000:]
    # A question to a name server may have to time out first.
    healed = process.answers(30)
    injected = process.sh(
        f"grep -c INJECTED {paths.STATE / (name + '.trace')} || true"
    )
    assert int(injected) > 0, process.lab.read(paths.STATE / f"{name}.strace")
    allowed = process.assert_all_recorded(lines)
    end = time.monotonic() + 20
    while process.fds() > fds + 2:
        assert time.monotonic() < end, (fds, process.fds())
        time.sleep(0.2)
    for record in process.found("open"):
        assert record["workload"]["uid"] is not None, record
    assert process.verify().code == 0
    print(
        f"{call} {error}: {injected} injected, {allowed} of {len(lines)} "
        f"allowed, well again after {healed:.1f} s"
    )


LIBFAKETIME = "faketime/libfaketimeMT.so.1"
CLOCK = "/run/wayleave-clock"
DAY = "+1d", "-1d", "+0"


def test_a_clock_that_jumps_by_a_day_ends_nothing(process):
    """Wall time alone: what waits for a while waits by another clock."""
    preload = process.sh(f"ls /usr/lib/*/{LIBFAKETIME} | head -n 1")
    assert preload, "libfaketime is not installed: ./bootstrap setup"
    process.lab.write(CLOCK, "+0\n")
    settings = [
        f"LD_PRELOAD={preload}",
        f"FAKETIME_TIMESTAMP_FILE={CLOCK}",
        "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]
    with process.started_by("env", *settings):
        load = process.start_load("clock.log", "hammer", 8, 4, "clock")
        for step in DAY:
            time.sleep(2)
            process.lab.write(CLOCK, step + "\n")
        lines = process.end_load(load, "clock.log")
        assert {x.split()[1] for x in lines} == {"200"}
        assert process.assert_all_recorded(lines) == len(lines)
    assert process.verify().code == 0
    days = {r["time"][:10] for r in process.records()}
    assert len(days) >= 3, days
    print(f"{len(lines)} requests on {len(days)} days")
