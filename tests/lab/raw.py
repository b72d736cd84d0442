"""A client that sends bytes as they are, and shows the answers as they came.

Run inside the lab as some user. Reads a JSON list on stdin: {"to" ([address,
port] or a Unix socket's path), "send" (a list of texts, latin-1, on one
connection), "piece" (bytes a write), "at_once" (as many connections)}. Prints
one JSON list of answers a line: {"status", "reason", "fields" (a list of
pairs), "body", "s", "at"}, or {"error"} where there was none.
"""

import json
import socket
import sys
import threading
import time

LIMIT_S = 20


def connect(to):
    if not isinstance(to, str):
        return socket.create_connection(tuple(to), LIMIT_S)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(LIMIT_S)
    sock.connect(to)
    return sock


def answer(stream):
    """One HTTP answer, framed by its Content-Length alone."""
    line = stream.readline().decode("latin-1")
    if not line:
        return {"error": "closed"}
    words = line.rstrip("\r\n").split(" ", 2)
    fields = []
    while (line := stream.readline().decode("latin-1")) not in ("\r\n", ""):
        name, _, value = line.rstrip("\r\n").partition(":")
        fields.append([name, value.strip()])
    lengths = [v for k, v in fields if k.lower() == "content-length"]
    body = stream.read(int(lengths[0])) if len(lengths) == 1 else b""
    return {
        "status": int(words[1]),
        "reason": words[2],
        "fields": fields,
        "body": body.decode("latin-1"),
    }


def talk(order):
    found = []
    try:
        with connect(order["to"]) as sock, sock.makefile("rb") as stream:
            for text in order["send"]:
                start = time.monotonic()
                data = text.encode("latin-1")
                step = order.get("piece", len(data) or 1)
                for at in range(0, len(data), step):
                    sock.sendall(data[at : at + step])
                found.append(answer(stream))
                found[-1]["s"] = round(time.monotonic() - start, 3)
                found[-1]["at"] = time.time()
    except (OSError, ValueError, IndexError) as e:
        found.append({"error": f"{type(e).__name__}: {e}"})
    return found


def many(order):
    """The first answer of each of as many connections at once."""
    found = []

    def one():
        found.append(talk(order)[0])

    threads = [threading.Thread(target=one) for _ in range(order["at_once"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def main():
    for order in json.load(sys.stdin):
        print(json.dumps((many if "at_once" in order else talk)(order)))


if __name__ == "__main__":
    main()
