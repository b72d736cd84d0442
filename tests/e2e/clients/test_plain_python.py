"""Python's own HTTP clients, WebSocket and gRPC, with nothing but env."""

import json

import pytest

from lab import names

REQUESTS = """
import requests, sys
print(requests.post(sys.argv[1], data=b"x" * 100000).text)
"""

URLLIB = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], data=b"x" * 100000) as a:
    print(a.read().decode())
"""

# urllib3 reads no environment: a program hands it the proxy's URL.
URLLIB3 = """
import os, ssl, sys, urllib3
pool = urllib3.proxy_from_url(os.environ["HTTPS_PROXY"], retries=False,
                              ca_certs=os.environ["SSL_CERT_FILE"])
a = pool.request("POST", sys.argv[1], body=b"x" * 100000)
print(a.data.decode())
"""

HTTPX = """
import httpx, sys
print(httpx.post(sys.argv[1], content=b"x" * 100000).text)
"""

HTTPX_ASYNC = """
import asyncio, httpx, sys
async def main():
    async with httpx.AsyncClient() as c:
        print((await c.post(sys.argv[1], content=b"x" * 100000)).text)
asyncio.run(main())
"""

AIOHTTP = """
import aiohttp, asyncio, sys
async def main():
    async with aiohttp.ClientSession(trust_env=True) as s:
        async with s.post(sys.argv[1], data=b"x" * 100000) as a:
            print(await a.text())
asyncio.run(main())
"""

PLAIN = {
    "requests": REQUESTS,
    "urllib": URLLIB,
    "urllib3": URLLIB3,
    "httpx": HTTPX,
    "httpx-async": HTTPX_ASYNC,
    "aiohttp": AIOHTTP,
}
EACH = pytest.mark.parametrize("name", PLAIN)


@EACH
def test_a_plain_client_posts(clients, hosts, untouched, name):
    url = f"https://{hosts['plain']}/x"
    result = clients.python(PLAIN[name], url)
    assert result.code == 0, result
    seen = json.loads(result.out)
    assert (seen["method"], seen["bytes"]) == ("POST", 100000)
    assert clients.allowed(hosts["plain"], "connect") == 1


@EACH
def test_a_plain_client_is_refused(clients, hosts, untouched, name):
    result = clients.python(PLAIN[name], f"https://{hosts['foreign']}/x")
    clients.refused(result)


def test_httpx_over_socks(clients, hosts, untouched):
    code = "import httpx, os, sys\n" + (
        'p = os.environ["ALL_PROXY"]\n'
        "print(httpx.get(sys.argv[1], trust_env=False, proxy=p,\n"
        '                verify=os.environ["SSL_CERT_FILE"]).text)\n'
    )
    url = f"https://{hosts['plain']}/x"
    result = clients.python(code, url, name="socks")
    assert result.code == 0, result
    assert clients.allowed(hosts["plain"], "socks5") == 1


SOCKETS = """
import sys
from websockets.sync.client import connect
with connect("wss://" + sys.argv[1]) as c:
    for n in (5, 70000):
        c.send("x" * n)
        print(c.recv() == "X" * n)
"""

AIO_SOCKETS = """
import aiohttp, asyncio, sys
async def main():
    async with aiohttp.ClientSession(trust_env=True) as s:
        async with s.ws_connect("wss://" + sys.argv[1]) as c:
            for n in (5, 70000):
                await c.send_str("x" * n)
                print(await c.receive_str() == "X" * n)
asyncio.run(main())
"""

GRPC = """
import grpc, os, sys
roots = open(os.environ["SSL_CERT_FILE"], "rb").read()
with grpc.secure_channel(sys.argv[1] + ":443",
                         grpc.ssl_channel_credentials(roots)) as channel:
    shout = channel.unary_unary("/lab.Talk/Shout")
    print(shout(b"x" * 5, timeout=20) == b"X" * 5)
    chat = channel.stream_stream("/lab.Talk/Chat")
    back = list(chat(iter([b"a" * 70000, b"b"]), timeout=20))
    print(back == [b"A" * 70000, b"B"])
"""

TALKS = {
    "websockets": (SOCKETS, names.SOCKETS, None),
    "aiohttp": (AIO_SOCKETS, names.SOCKETS, "websocket"),
    "grpcio": (GRPC, names.GRPC, None),
    "grpcio-env": (GRPC, names.GRPC, "grpc"),
}
EACH_TALK = pytest.mark.parametrize("name", TALKS)


@EACH_TALK
def test_it_talks_both_ways(azure, clients, untouched, name):
    azure.call("talk")
    code, host, client = TALKS[name]
    result = clients.python(code, host, name=client)
    assert result.out.split() == ["True", "True"], result
    assert clients.allowed(host, "connect") == 1


@EACH_TALK
def test_talking_is_refused(clients, hosts, untouched, name):
    code, _, client = TALKS[name]
    # gRPC tells the status alone.
    run = clients.told if name.startswith("grpc") else clients.python
    clients.refused(run(code, hosts["foreign"], name=client))
