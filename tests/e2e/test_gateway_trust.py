"""Gateways believe the CA file in force, from the reload that names it on."""

import signal
import time

from lab import gateways, paths
from lab.gateways import head

# Other people's anchors: the lab's authority is not among them.
OTHERS = "/etc/ssl/certs/ca-certificates.crt"

# One connection: a request, then another upon a signal.
TWICE = """
import http.client, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
c.request("GET", "/before")
a = c.getresponse()
print(a.status, len(a.read()) > 0, flush=True)
signal.sigwait([signal.SIGUSR1])
c.request("GET", "/after")
print(c.getresponse().status, flush=True)
"""


def log_lines(azure, log, n):
    end = time.monotonic() + 10
    while len(azure.read(paths.STATE / log).split("\n")) <= n:
        assert time.monotonic() < end, azure.read(paths.STATE / log)
        time.sleep(0.02)
    return azure.read(paths.STATE / log).split("\n")[:n]


def test_a_reload_with_other_anchors_believes_them_alone(gates):
    changed = gateways.config()
    changed["tls"] = {"ca_file": OTHERS}
    argv = [paths.PYTHON, "-c", TWICE, gateways.PORTS["seen"]]
    pid = gates.lab.start_as("alice", argv, log="trust.log")
    try:
        assert log_lines(gates.lab, "trust.log", 1) == ["200 True"]
        gates.reload(changed)
        answer = gates.say(head("GET /trust"))
        assert answer.status == 502, answer
        assert answer.code == "TLS_CERTIFICATE"
        gates.lab.call("signal", pid=pid, number=signal.SIGUSR1)
        assert log_lines(gates.lab, "trust.log", 2)[1] == "502"
    finally:
        gates.lab.call("signal", pid=pid, number=signal.SIGKILL)
        gates.reload(gateways.config())
    assert gates.say(head("GET /trust")).status == 200
