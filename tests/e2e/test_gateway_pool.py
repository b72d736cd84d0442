"""What one client is done with serves the next: no dial, no handshake, and a
verdict and a token of one's own all the same."""

from lab import gateways, paths
from lab.gateways import head

WORKERS_MAX = 4

# Clients at the same time, each with a connection of its own that it keeps.
TOGETHER = """
import http.client, sys
kept = [http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
        for _ in range(10)]
for i, c in enumerate(kept):
    c.request("GET", f"/together-{i}")
    a = c.getresponse()
    assert a.status == 200, a.status
    a.read()
"""


def asked(gates, path):
    answer = gates.say(head(f"GET {path}"))
    assert answer.status == 200, answer
    _, final = gates.ended(path)
    assert final["tls"].startswith("TLSv1.3")
    assert final["injected"]["token_id"]
    return final


def is_pooled(record):
    return record["ms"]["connect"] is None and record["ms"]["tls"] is None


def made_anew(gates, name):
    """Of some clients, one after another, those that made a connection: of
    each worker the first."""
    said = [asked(gates, f"/pool-{name}-{i}") for i in range(8)]
    return [i for i, record in enumerate(said) if not is_pooled(record)]


def test_the_next_client_goes_on_with_the_connection(gates):
    assert len(made_anew(gates, "next")) <= WORKERS_MAX


def test_a_reload_leaves_nothing_of_the_old_rules(gates):
    made_anew(gates, "before")
    gates.reload(gateways.config())
    anew = made_anew(gates, "after")
    assert anew[0] == 0
    assert len(anew) <= WORKERS_MAX


def test_nobody_gets_through_on_what_others_left(gates):
    made_anew(gates, "mine")
    answer = gates.say(head("GET /pool-other"), user="bob")
    assert (answer.status, answer.code) == (403, "WORKLOAD_NOT_ALLOWED")


def test_who_has_proved_itself_need_not_do_so_again(gates):
    argv = [paths.PYTHON, "-c", TOGETHER, str(gateways.PORTS["seen"])]
    result = gates.lab.run_as("alice", argv)
    assert result.code == 0, result.err
    said = [gates.ended(f"/together-{i}")[1] for i in range(10)]
    made = [r for r in said if not is_pooled(r)]
    proved = [r for r in made if r["tls"] == "TLSv1.3"]
    assert len(proved) <= WORKERS_MAX
    assert len(proved) < len(made)
    assert {r["tls"] for r in made} <= {"TLSv1.3", "TLSv1.3 resumed"}
