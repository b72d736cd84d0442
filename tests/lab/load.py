"""Many clients at once, run inside the lab as some user.

load.py hammer SECONDS PARALLEL PREFIX [PAUSE_S]
    CONNECTs to names of their own under names.FRESH, one after the other;
    prints "NAME STATUS" for each ("-" when no answer came).
load.py hold N KIND SECONDS
    N connections that send what KIND says ("half", "drip", "silent") and
    no more; prints {"opened", "cut", "first_s", "last_s"}.
load.py fork N PREFIX
    N processes that ask and are gone at once; prints how many could.
load.py churn N PARALLEL
    N connections that ask for what is denied; prints how many were told.
"""

import asyncio
import json
import os
import socket
import sys
import time

from lab import names

PROXY = ("127.0.0.1", 3180)
KINDS = {
    "silent": b"",
    "half": b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.exam",
    "drip": b"C",
}


def connect_head(host):
    return f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode()


async def ask(host, limit_s=15):
    """The status of one CONNECT; "-" when the agent was not there."""
    writer = None
    try:
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection(*PROXY)
            writer.write(connect_head(host))
            head = await reader.readuntil(b"\r\n\r\n")
            return head.split(b" ", 2)[1].decode()
    except (OSError, EOFError, TimeoutError):
        return "-"
    finally:
        if writer:
            writer.transport.abort()


async def hammer(seconds, parallel, prefix, pause_s="0"):
    end = time.monotonic() + float(seconds)

    async def one(number):
        turn = 0
        while time.monotonic() < end:
            host = f"{prefix}-{number}-{turn}.{names.FRESH}"
            status = await ask(host)
            print(host, status, flush=True)
            turn += 1
            await asyncio.sleep(0.02 if status == "-" else float(pause_s))

    await asyncio.gather(*(one(i) for i in range(int(parallel))))


async def hold(count, kind, seconds):
    """Until each connection was cut, or the time is over."""
    cuts = []
    start = time.monotonic()

    async def one():
        reader, writer = await asyncio.open_connection(*PROXY)
        writer.write(KINDS[kind])
        opened = time.monotonic()

        async def drip():
            while kind == "drip":
                await asyncio.sleep(1)
                writer.write(b"C")

        task = asyncio.ensure_future(drip())
        try:
            async with asyncio.timeout(float(seconds)):
                while await reader.read(4096):
                    pass
                cuts.append(time.monotonic() - opened)
        except TimeoutError:
            pass
        except OSError:
            cuts.append(time.monotonic() - opened)
        finally:
            task.cancel()
            writer.transport.abort()

    tasks = []
    for i in range(int(count)):
        tasks.append(asyncio.ensure_future(one()))
        if i % 50 == 0:
            await asyncio.sleep(0.01)
    print(json.dumps({"opened_s": time.monotonic() - start}), flush=True)
    await asyncio.gather(*tasks, return_exceptions=True)
    print(
        json.dumps(
            {
                "opened": len(tasks),
                "cut": len(cuts),
                "first_s": round(min(cuts, default=0), 2),
                "last_s": round(max(cuts, default=0), 2),
            }
        )
    )


def fork(count, prefix):
    """Children that do not wait for an answer: they ask, and are gone."""
    asked = 0
    for i in range(int(count)):
        pid = os.fork()
        if pid == 0:
            try:
                sock = socket.create_connection(PROXY, 5)
                sock.sendall(connect_head(f"{prefix}-{i}.{names.FRESH}"))
                if i % 3 == 0:
                    sock.settimeout(0.05)
                    sock.recv(1)
            except OSError:
                os._exit(1)
            os._exit(0)
        if i % 16 == 15:
            for _ in range(16):
                asked += os.wait()[1] == 0
    print(asked)


async def churn(count, parallel):
    left = iter(range(int(count)))
    told = 0

    async def one():
        nonlocal told
        for i in left:
            status = await ask(f"no-{i % 100}.example")
            told += status == "403"

    await asyncio.gather(*(one() for _ in range(int(parallel))))
    print(told)


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    done = globals()[what](*words)
    if asyncio.iscoroutine(done):
        asyncio.run(done)
