"""Servers that talk both ways: WebSocket and gRPC, over TLS."""

import threading
from concurrent import futures

import grpc
from websockets.sync.server import serve as serve_sockets

from . import names, paths, web


def _shout(connection):
    """Each message back in capitals, until the client goes."""
    for message in connection:
        connection.send(message.upper())


def _grpc_handlers():
    """lab.Talk: bytes in, bytes out; Shout answers one, Chat a stream."""
    return grpc.method_handlers_generic_handler(
        "lab.Talk",
        {
            "Shout": grpc.unary_unary_rpc_method_handler(
                lambda data, _: data.upper()
            ),
            "Chat": grpc.stream_stream_rpc_method_handler(
                lambda pieces, _: (p.upper() for p in pieces)
            ),
        },
    )


def serve():
    """Start both, in threads; they are up when this returns."""
    server = serve_sockets(
        _shout, names.ENDPOINTS[names.SOCKETS], 443, ssl=web.tls_context()
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers([_grpc_handlers()])
    pair = [paths.KEY_FILE.read_bytes(), paths.CERT_FILE.read_bytes()]
    server.add_secure_port(
        f"{names.ENDPOINTS[names.GRPC]}:443",
        grpc.ssl_server_credentials([pair]),
    )
    server.start()
    # It ends when nothing refers to it.
    _kept.append(server)


_kept = []
