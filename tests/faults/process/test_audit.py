"""No allowed request without a record, whatever befalls the daemon."""

import random
import signal
import time

from lab import daemon

from .sizes import size

KILLS = size(check=12, full=1000)


def test_kill_9_under_load_loses_no_record_of_an_allowed_request(process):
    chance = random.Random(1)
    seconds = KILLS * 0.8 + 5
    pid = process.start_load("kill.log", "hammer", seconds, 3, "kill", 0.03)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.01, 0.25))
        process.kill_and_start()
    process.answers()
    process.lab.call("signal", pid=pid, number=int(signal.SIGTERM))
    lines = process.end_load(pid, "kill.log")
    assert process.assert_all_recorded(lines) > KILLS
    verified = process.verify()
    assert verified.code == 0, verified
    starts = process.found("start")
    assert len(starts) >= KILLS
    torn = sum("torn" in r for r in starts)
    print(f"{KILLS} kills, {len(lines)} requests, {torn} torn tails")


def resize(process, what):
    place = daemon.AUDIT.rsplit("/", 1)[0]
    result = process.root("mount", "-o", f"remount,size={what}", place)
    assert result.code == 0, result


def test_a_full_disk_allows_nothing_unrecorded_and_heals_in_a_second(process):
    pid = process.start_load("full.log", "hammer", 6, 8, "full")
    time.sleep(1.5)
    used = int(
        process.sh(f"du -sk {daemon.AUDIT.rsplit('/', 1)[0]} | cut -f1")
    )
    resize(process, f"{used + 256}k")
    try:
        time.sleep(2)
        assert process.status() == "503"
    finally:
        resize(process, "50%")
    healed = process.answers()
    lines = process.end_load(pid, "full.log")
    assert healed < 1.5, healed
    assert process.assert_all_recorded(lines) > 20
    refused = sum(x.endswith(" 503") for x in lines)
    assert refused > 20
    assert process.verify().code == 0
    print(f"healed in {healed:.2f} s; {refused} refused meanwhile")
