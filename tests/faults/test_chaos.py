"""Real transfers over a network that loses packets and cuts connections."""

import re
import time

from lab import names, paths, zones

BLOB_MIB = 48 if paths.FULL else 4
REQUESTS = 2000 if paths.FULL else 100

# Azure's own client: it goes on where a connection was cut.
BLOB = """
import hashlib, os, sys
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
s = BlobServiceClient("https://" + sys.argv[1], max_block_size=512 << 10,
    max_single_put_size=512 << 10, max_chunk_get_size=512 << 10,
    max_single_get_size=512 << 10, retry_total=30, retry_connect=30,
    retry_read=30, retry_status=30, initial_backoff=0, increment_base=1,
    credential=DefaultAzureCredential())
c = s.get_container_client("chaos")
if not c.exists():
    c.create_container()
data = os.urandom(int(sys.argv[2]) << 20)
b = c.get_blob_client("random")
b.upload_blob(data, overwrite=True)
print("up", flush=True)
back = b.download_blob().readall()
print(hashlib.sha256(back).digest() == hashlib.sha256(data).digest())
"""


def pairs(faults):
    """Ids of opens, and of the ends of what was opened."""
    found = faults.new_records()
    opens = [r["id"] for r in found if r["event"] == "open"]
    ends = [
        r["id"]
        for r in found
        if r["event"] == "request" and r["verdict"] == "allow"
    ]
    return sorted(opens), sorted(ends)


def test_a_blob_survives_connections_that_are_cut(faults):
    where = f"ip daddr {names.ENDPOINTS[names.ACCT1]} tcp dport 443"
    cut = "ct state established meta length > 400 numgen inc mod 50 == 9"
    faults.nft(f"{where} {cut} counter reject with tcp reset")
    result = faults.agent.python(
        BLOB, names.ACCT1, str(BLOB_MIB), timeout_s=400
    )
    assert result.out.split() == ["up", "True"], result
    resets = [
        r for r in faults.new_records() if r.get("code") == "UPSTREAM_RESET"
    ]
    assert resets
    end = time.monotonic() + 5
    while len(set(map(len, pairs(faults)))) > 1 and time.monotonic() < end:
        time.sleep(0.1)
    opens, ends = pairs(faults)
    assert opens == ends


MANY = """
import socket, sys, threading, time
def ask(i, out):
    t = time.monotonic()
    s = socket.create_connection(("127.0.0.1", 3180), 20)
    host = f"c{i}-{sys.argv[1]}"
    s.sendall(f"GET http://{host}/ HTTP/1.1\\r\\nHost: {host}\\r\\n"
              "Connection: close\\r\\n\\r\\n".encode())
    got = b""
    try:
        while piece := s.recv(65536):
            got += piece
    except OSError as e:
        got += b"<reset>"
    line = got.split(b"\\r\\n")[0].decode()
    out.append((line, time.monotonic() - t))
out = []
for start in range(0, int(sys.argv[2]), 50):
    threads = [threading.Thread(target=ask, args=(start + i, out))
               for i in range(50)]
    [t.start() for t in threads]
    [t.join() for t in threads]
for line, s in out:
    print(round(s, 2), line)
"""
PAGE = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_each_request_is_answered_while_packets_are_lost(faults):
    """Lost questions, answers and connection attempts: 200 or a code."""
    lost = "numgen random mod 100 < 20 drop"
    faults.nft(
        f"udp dport 53 {lost}\n"
        f"udp sport 53 {lost}\n"
        f"ip daddr {names.FAULTY_ADDRESS} tcp flags & (syn|ack) == syn {lost}",
        hook="input",
    )
    faults.origin([["head"], ["send", PAGE], ["all"]])
    result = faults.lab.python_as(
        "alice", MANY, faults.name(), str(REQUESTS), timeout_s=400
    )
    lines = [x.split(" ", 1) for x in result.out.splitlines()]
    assert len(lines) == REQUESTS, result
    good = [x for _, x in lines if x.startswith("HTTP/1.1 200 ")]
    told = re.compile(r"HTTP/1\.1 50[24] Denied (DNS|CONNECT)_TIMEOUT id=")
    bad = [x for _, x in lines if x not in good and not told.match(x)]
    assert not bad
    assert len(good) > REQUESTS / 2
    assert max(float(s) for s, _ in lines) < 5


def test_a_flapping_resolver_wedges_nothing(faults):
    faults.origin([["head"], ["send", PAGE], ["all"]])
    good = (None, "truncated")
    for fault in ("silent", 2, None, 5, "truncated", None) * 2:
        faults.lab.call("dns_fault", first=fault, second=fault)
        seen = faults.get(faults.name())
        assert re.match(r"HTTP/1\.1 (200 OK|50[24] Denied DNS_)", seen["got"])
        assert seen["got"].startswith("HTTP/1.1 200") == (fault in good)
    faults.heal()
    host = zones.ROUTES["R3"][0]
    [seen] = faults.agent.probe({"host": host, "get": "/x"})
    assert seen["http"]["status"] == 200
