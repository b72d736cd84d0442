"""A proxy with the mistakes of others: run.py must tell of them, or it
proves nothing. control.py PORT: believes the first Content-Length alone,
repairs nothing, passes the head on as it came, shares one upstream."""

import re
import socket
import sys
import threading

upstreams = {}
lock = threading.Lock()


def read_message(sock, data):
    """(head and body, rest), or (None, rest) at the end."""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return None, data
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)\ncontent-length:\s*(\d+)", head)
    length = int(found[1]) if found else 0
    while len(rest) < length:
        piece = sock.recv(65536)
        if not piece:
            return None, data
        rest += piece
    return head + b"\r\n\r\n" + rest[:length], rest[length:]


def ask(address, message):
    with lock:
        if address not in upstreams:
            sock = socket.create_connection(address, 2)
            sock.settimeout(0.5)
            upstreams[address] = [sock, b""]
        kept = upstreams[address]
        try:
            kept[0].sendall(message)
            answer, kept[1] = read_message(*kept)
        except OSError:
            answer = None
        if answer is None:
            del upstreams[address]
        return answer


def serve(client):
    data = b""
    client.settimeout(2)
    try:
        while True:
            message, data = read_message(client, data)
            if message is None:
                return
            line = re.match(rb"(\S+) http://([0-9.]+):(\d+)(\S*)", message)
            if not line:
                client.sendall(
                    b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n"
                    b"Connection: close\r\n\r\n"
                )
                return
            path = line[4] or b"/"
            message = line[1] + b" " + path + message[line.end() :]
            address = (line[2].decode(), int(line[3]))
            answer = ask(address, message)
            client.sendall(
                answer or b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"
            )
    except OSError:
        pass
    finally:
        client.close()


def main(port):
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=64)
    print("ready", flush=True)
    while True:
        threading.Thread(
            target=serve, args=(listener.accept()[0],), daemon=True
        ).start()


if __name__ == "__main__":
    main(sys.argv[1])
