"""HTTP/2 inside inspected tunnels: each of its streams is a request that is
judged, recorded and answered as any other."""

import hashlib
import json

import pytest
import test_plain_python as plain

from lab import daemon, names, paths, seen

METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "OPTIONS"]
BYTES = 3_000_000


def policy():
    """The lab's, but that requests to the origin that notes them are seen."""
    value = daemon.policy()
    looked_into = {names.SEEN, names.GRPC}
    for rule in value["rules"]:
        rule["hosts"] = [h for h in rule["hosts"] if h not in looked_into]
    value["rules"] = [r for r in value["rules"] if r["hosts"]]
    hosts = {"hosts": sorted(looked_into), "methods": METHODS}
    value["rules"].append({"id": "inside", "effect": "allow", **hosts})
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


@pytest.mark.parametrize("client", [None, "grpc"])
def test_grpc_passes_by_http2_on_both_sides(azure, clients, client):
    azure.call("talk")
    used = clients.python(plain.GRPC, names.GRPC, name=client)
    assert used.out.split() == ["True", "True"], used
    asked = ["/lab.Talk/Shout", "/lab.Talk/Chat"]
    for path in asked:
        clients.finals(path=path)
    inner = [r for r in clients.records() if r.get("path")]
    finals = [r for r in inner if r["event"] == "request"]
    assert [r["path"] for r in finals] == asked
    assert [(r["status"], r["close"]) for r in finals] == [(200, "done")] * 2


# A call that has no end, one that fails, one that answers while it is asked.
CALLS = """
import grpc, os, sys
roots = open(os.environ["SSL_CERT_FILE"], "rb").read()
with grpc.secure_channel(sys.argv[1] + ":443",
                         grpc.ssl_channel_credentials(roots)) as channel:
    try:
        channel.unary_unary("/lab.Talk/Nothing")(b"x", timeout=20)
    except grpc.RpcError as error:
        print(error.code().name)
    said = []
    def pieces():
        for i in range(5):
            yield b"%d" % i
            while len(said) <= i:
                pass
    for back in channel.stream_stream("/lab.Talk/Chat")(pieces(), timeout=20):
        said.append(back)
    print(said)
    chat = channel.stream_stream("/lab.Talk/Chat")(iter([b"a" * 3000000]),
                                                   timeout=20)
    print(next(chat) == b"A" * 3000000)
    for _ in range(30):
        channel.unary_unary("/lab.Talk/Shout")(b"x", timeout=20)
"""


def test_calls_of_grpc_end_as_they_are_meant_to(azure, clients):
    azure.call("talk")
    used = clients.python(CALLS, names.GRPC)
    said = "['0', '1', '2', '3', '4']".replace("'", "b'", 0)
    assert used.code == 0, used
    lines = used.out.splitlines()
    assert lines[0] == "UNIMPLEMENTED"
    assert lines[1].replace("b'", "'") == said
    assert lines[2] == "True"
