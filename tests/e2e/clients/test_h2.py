"""HTTP/2 inside inspected tunnels: each of its streams is a request that is
judged, recorded and answered as any other."""

import hashlib
import json

import pytest

from lab import daemon, names, paths, seen

METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "OPTIONS"]
BYTES = 3_000_000


def policy():
    """The lab's, but that requests to the origin that notes them are seen."""
    value = daemon.policy()
    rules = [r for r in value["rules"] if names.SEEN not in r["hosts"]]
    rule = {"id": "seen-inside", "effect": "allow", "hosts": [names.SEEN]}
    value["rules"] = [*rules, {**rule, "methods": METHODS}]
    return value


@pytest.fixture(scope="module", autouse=True)
def inspected(_session_agent):
    _session_agent.reload(policy())
    yield
    _session_agent.reload(daemon.POLICY)


URL = f"https://{names.SEEN}"


def curl(clients, *argv):
    """The body of its answer, and "VERSION STATUS"."""
    told = ["-w", "\n%{http_version} %{http_code}"]
    used = clients.run(["curl", "-sS", "--http2", *told, *argv])
    assert used.code == 0, used
    body, _, last = used.out.rpartition("\n")
    return body, last


def test_curl_speaks_http2_and_each_request_has_its_records(clients):
    body, last = curl(clients, f"{URL}/one?secret=1")
    assert last == "2 200"
    assert json.loads(body)["line"] == "GET /one?secret=1 HTTP/1.1"
    (final,) = clients.finals(path="/one")
    inner = [r for r in clients.records() if r["id"] == final["id"]]
    assert [r["event"] for r in inner] == ["open", "request"]
    assert final["method"] == "GET"
    assert (final["status"], final["close"]) == (200, "done")
    assert final["host"] == names.SEEN


def test_a_refusal_is_an_answer_with_its_code(clients):
    body, last = curl(clients, "-X", "DELETE", f"{URL}/gone")
    assert last == "2 403"
    assert json.loads(body)["code"] == "METHOD_NOT_ALLOWED"
    denied = clients.finals(path="/gone")
    assert [r["code"] for r in denied] == ["METHOD_NOT_ALLOWED"]


def test_bodies_pass_whole_both_ways(clients):
    tool = ["--data-binary", "@-", f"{URL}/up"]
    code = (
        "import subprocess, sys\n"
        'sent = b"u" * int(sys.argv[1])\n'
        'argv = ["curl", "-sS", "--http2", *sys.argv[2:]]\n'
        "sys.stdout.buffer.write(subprocess.run(argv, input=sent,\n"
        "                        stdout=subprocess.PIPE).stdout)\n"
    )
    used = clients.python(code, str(BYTES), *tool)
    came = json.loads(used.out)
    assert came["sha256"] == hashlib.sha256(b"u" * BYTES).hexdigest()
    for kind in ("bytes", "chunked", "close"):
        argv = f"curl -sS --http2 {URL}/{kind}/{BYTES} | sha256sum"
        used = clients.run(["sh", "-c", argv])
        assert used.out.split()[0] == seen.digest(BYTES), (kind, used)
    argv = ["curl", "-sS", "--http2", "-o", "/dev/null", f"{URL}/cut/{BYTES}"]
    assert clients.run(argv).code != 0


MANY = """
import asyncio, collections, httpx, sys
async def main():
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(http2=True, limits=limits) as c:
        asked = (c.post(f"{sys.argv[1]}/{i}", content=b"x" * 20000)
                 for i in range(60))
        came = await asyncio.gather(*asked)
    print(collections.Counter((a.http_version, a.status_code) for a in came))
    lines = [a.json()["line"].split()[1] for a in came]
    print(lines == [f"/many/{i}" for i in range(60)])
asyncio.run(main())
"""


def test_sixty_at_once_on_one_connection(clients):
    used = clients.python(MANY, f"{URL}/many", python=paths.PYTHON)
    assert "Counter({('HTTP/2', 200): 60})\nTrue" in used.out, used
    finals = [r for r in clients.finals(60, method="POST") if r["path"]]
    assert len({r["path"] for r in finals}) == len(finals) == 60
    opened = [r for r in clients.records() if r["event"] == "open"]
    assert sum(r["method"] == "CONNECT" for r in opened) == 1
