"""A token that the origin does not take is asked for anew, and what was
refused goes once more; but not over and over."""

import time

from lab.gateways import head


def told(gates, path, n):
    """The records of that path, once there are so many."""
    end = time.monotonic() + 5
    while True:
        found = [r for r in gates.agent.records() if r.get("path") == path]
        if len(found) >= n or time.monotonic() > end:
            return found
        time.sleep(0.02)


def test_what_is_refused_goes_once_more_with_another_token(gates):
    gates.lab.call("seen")
    answer = gates.say(head("GET /status/401"))
    assert answer.status == 401
    noted = gates.lab.call("seen")
    assert [n["authorization"] for n in noted] == [
        noted[0]["authorization"]
    ] * 2
    records = told(gates, "/status/401", 4)
    assert [r["event"] for r in records] == ["open", "request"] * 2
    assert [r["status"] for r in records[1::2]] == [401, 401]
    ids = [r["injected"]["token_id"] for r in records]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert records[0]["id"] != records[2]["id"]

    # The next one is too early for another token.
    body = "x" * 100
    post = head("POST /status/401", f"Content-Length: {len(body)}") + body
    assert gates.say(post).status == 401
    assert len(gates.lab.call("seen")) == 1
    (_, final) = told(gates, "/status/401", 6)[4:]
    assert final["injected"]["token_id"] == ids[2]
