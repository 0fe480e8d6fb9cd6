from __future__ import annotations

import socket
from pathlib import Path

from appliance.doors.sip import ban


def test_the_kernel_drops_what_is_banned_and_nothing_else() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as scanner,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller,
    ):
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.5)
        scanner.bind(("127.0.0.66", 0))
        caller.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert ban.enforce(["127.0.0.66", "2001:db8::1", *(f"192.0.2.{i}" for i in range(256))], [port]) == 1
        scanner.sendto(b"scan", ("127.0.0.1", port))
        caller.sendto(b"call", ("127.0.0.1", port))
        assert server.recv(10) == b"call"
        assert ban.enforce([], [port]) == 1
        scanner.sendto(b"scan", ("127.0.0.1", port))
        assert server.recv(10) == b"scan"


def test_connections_are_dropped_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ban.enforce(["127.0.0.66"], [port])
        with socket.socket() as scanner:
            scanner.bind(("127.0.0.66", 0))
            scanner.settimeout(0.3)
            try:
                scanner.connect(("127.0.0.1", port))
            except TimeoutError:
                pass
            else:
                raise AssertionError("the scanner was let in")
        socket.create_connection(("127.0.0.1", port), timeout=1).close()


def test_it_leaves_no_descriptor_open() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with open("/dev/null"):
        ban.enforce([], [1])
        before = descriptors()
        for _ in range(20):
            ban.enforce(["192.0.2.1"], [1])
        assert descriptors() == before


def test_where_nothing_listens_nothing_is_filtered() -> None:
    assert ban.enforce([], [1]) == 0
