"""What one client is done with serves the next: no dial, no handshake, and a
verdict and a token of one's own all the same."""

from lab import gateways
from lab.gateways import head

WORKERS_MAX = 4


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
