"""The inspection CA as clients meet it: whom they believe, before and after
it is changed for another."""

import json
import signal
import time

from lab import daemon, gateways, names, paths

# Asks through an inspected tunnel: who signed, and what came.
ASK = """
import http.client, json, os, ssl, sys
proxy = os.environ["HTTPS_PROXY"].rsplit("/", 1)[1].split(":")
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
c = http.client.HTTPSConnection(proxy[0], int(proxy[1]), context=context,
                                timeout=20)
c.set_tunnel(sys.argv[1], 443)
try:
    c.request("GET", "/ca")
except ssl.SSLCertVerificationError as e:
    print(json.dumps({"error": e.verify_message}))
    sys.exit()
issuer = dict(x[0] for x in c.sock.getpeercert()["issuer"])["commonName"]
print(json.dumps({"issuer": issuer, "status": c.getresponse().status}))
"""
# One tunnel: a request, then another upon a signal.
TWICE = """
import http.client, os, signal, ssl, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
proxy = os.environ["HTTPS_PROXY"].rsplit("/", 1)[1].split(":")
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
c = http.client.HTTPSConnection(proxy[0], int(proxy[1]), context=context,
                                timeout=20)
c.set_tunnel(sys.argv[1], 443)
for line in ("/before", "/after"):
    c.request("GET", line)
    a = c.getresponse()
    print(a.status, len(a.read()) > 0, flush=True)
    signal.sigwait([signal.SIGUSR1])
"""


def ask(gates, **env):
    return json.loads(
        gates.agent.python(ASK, names.SEEN, env=env).out.splitlines()[-1]
    )


def ca(gates, *words, user="root"):
    result = gates.agent.cli("ca", *words, user=user)
    assert result.code == 0, result
    return result.out


def certificates(gates):
    told = json.loads(ca(gates, "show", "--json", user="bob"))
    return {c["role"]: c for c in told["certificates"]}


def name_of(certificate):
    words = certificate["subject"].replace("O=", "CN=").split("CN=")
    (found,) = [w.rstrip(",") for w in words if "inspection CA" in w]
    return found


def test_what_env_names_is_believed_and_nothing_less(gates):
    current = certificates(gates)["current"]
    told = ask(gates)
    assert told == {"issuer": name_of(current), "status": 200}
    told = ask(gates, SSL_CERT_FILE=str(paths.CA_FILE))
    assert "issuer certificate" in told["error"]
    assert current["pem"] in ca(gates, "export", user="bob")


def test_only_operators_rotate(gates):
    before = certificates(gates)
    for words in (("rotate",), ("rotate", "--now")):
        result = gates.agent.cli("ca", *words, user="alice")
        assert result.code == 77, result
    assert certificates(gates) == before


def test_the_next_one_is_known_before_it_signs(gates):
    ca(gates, "rotate", "--now")
    before = certificates(gates)["current"]
    ca(gates, "rotate")
    now = certificates(gates)
    assert set(now) == {"current", "next"}
    assert now["current"] == before
    bundle = gates.lab.read("/run/wayleave/ca-bundle.pem")
    assert now["next"]["pem"] in bundle
    assert before["pem"] in bundle
    assert ask(gates)["issuer"] == name_of(before)


def wait_lines(gates, log, n):
    end = time.monotonic() + 10
    while len(gates.lab.read(paths.STATE / log).split("\n")) <= n:
        assert time.monotonic() < end, gates.lab.read(paths.STATE / log)
        time.sleep(0.02)
    return gates.lab.read(paths.STATE / log).split("\n")[n - 1]


def test_a_stolen_key_signs_nothing_more_and_open_tunnels_go_on(gates):
    before = certificates(gates)["current"]
    stale = gates.lab.read("/run/wayleave/ca.pem")
    assert before["pem"] in stale
    argv = [paths.PYTHON, "-c", TWICE, names.SEEN]
    env = gates.agent.environment("alice")
    pid = gates.lab.start_as("alice", argv, log="ca.log", env=env)
    try:
        assert wait_lines(gates, "ca.log", 1) == "200 True"
        ca(gates, "rotate", "--now")
        now = certificates(gates)
        assert set(now) == {"current"}
        told = ask(gates)
        assert told == {"issuer": name_of(now["current"]), "status": 200}
        assert told["issuer"] != name_of(before)
        assert before["pem"] not in gates.lab.read("/run/wayleave/ca.pem")
        gates.lab.call("signal", pid=pid, number=signal.SIGUSR1)
        assert wait_lines(gates, "ca.log", 2) == "200 True"
    finally:
        gates.lab.call("signal", pid=pid, number=signal.SIGKILL)


def test_where_no_rule_needs_one_clients_hear_of_none(gates):
    def env():
        return json.loads(gates.agent.cli("env", "--shell", "json").out)

    assert env()["SSL_CERT_FILE"] == "/run/wayleave/ca-bundle.pem"
    try:
        gates.reload(rules=daemon.policy())
        assert "SSL_CERT_FILE" not in env()
        assert certificates(gates) == {}
    finally:
        gates.reload(rules=gateways.policy())
    wait = gates.agent.cli("wait", "--timeout", "10")
    assert wait.code == 0, wait
    assert env()["NODE_EXTRA_CA_CERTS"] == "/run/wayleave/ca.pem"
    assert ask(gates)["status"] == 200
