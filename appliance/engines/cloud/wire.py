"""The way out: every byte that leaves for a provider goes through here (`tests/test_floors.py` sees to that)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from appliance.terms.config import CloudProvider
from appliance.terms.errors import ConfigError, ProviderError

CONNECT_S = 1.5
"""A provider that cannot be reached by then is not there."""
SILENT_S = 5.0
"""Nothing for so long in the middle of an answer."""
WS_TIMEOUT = aiohttp.ClientWSTimeout(ws_receive=SILENT_S, ws_close=0.2)
MAX_LINE = 200_000
MAX_MESSAGE = 2_000_000
KEY_MODE = 0o077
CODE = re.compile(r"[\w.-]{1,60}")


class Wire:
    """One provider's connections, kept open from request to request."""

    def __init__(self, config: CloudProvider, url: str, header: str, scheme: str = "") -> None:
        """`header` carries the key, after `scheme`. Raises ConfigError where the key or the certificates are not to be
        had."""
        self._name = config.name
        self._url = (config.url or url).rstrip("/")
        if not self._url.startswith(("http://", "https://")):
            raise ConfigError([f"cloud.providers, {config.name}: its url must begin with http:// or https://"])
        key = _key(config)
        self._headers = {header: f"{scheme} {key}".strip()} if key else {}
        self._ssl = _context(config)
        self._session: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def post(self, path: str, *, headers: Mapping[str, str] | None = None, **body: Any) -> AsyncIterator[Any]:
        """An aiohttp response, of a request with `json` or `data`. Raises ProviderError, for what is read of it too."""
        with self._told():
            async with self._open().post(
                self._url + path, headers={**self._headers, **(headers or {})}, ssl=self._ssl, **body
            ) as response:
                if response.status >= 400:
                    raise self._refused(response.status, await response.content.read(5000))
                yield response

    @contextlib.asynccontextmanager
    async def socket(self, path: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket. Raises ProviderError."""
        with self._told():
            async with self._open().ws_connect(
                self._url + path, headers=self._headers, ssl=self._ssl, max_msg_size=MAX_MESSAGE, timeout=WS_TIMEOUT
            ) as socket:
                yield socket

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, connect=CONNECT_S, sock_read=SILENT_S)
            connector = aiohttp.TCPConnector(limit=32, keepalive_timeout=120)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector, read_bufsize=MAX_LINE)
        return self._session

    @contextlib.contextmanager
    def _told(self) -> Any:
        try:
            yield
        except aiohttp.WSServerHandshakeError as error:
            raise self._refused(error.status, b"") from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ServerDisconnectedError) as error:
            raise ProviderError(f"{self._name} cannot be reached: {error}", unreachable=True) from error
        except (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError) as error:
            raise ProviderError(f"{self._name}: {str(error) or type(error).__name__}") from error
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise ProviderError(f"{self._name} answered what nobody understands: {type(error).__name__}") from error

    def _refused(self, status: int, text: bytes) -> ProviderError:
        try:
            said = code(json.loads(text)["error"])
        except (ValueError, KeyError, TypeError):
            said = ""
        return ProviderError(f"{self._name} refuses: {status} {said}".strip(), unreachable=status in (401, 404))


def code(error: Any) -> str:
    """What kind of error a provider says it is, where that is one word: its sentences may repeat a caller's."""
    words = [str(error.get(key) or "") for key in ("code", "type")] if isinstance(error, dict) else []
    return next((word for word in words if CODE.fullmatch(word)), "")


async def events(response: Any) -> AsyncGenerator[dict[str, Any], None]:
    """The JSON objects of a stream of server-sent events (WHATWG HTML, 9.2), until `[DONE]` or its end."""
    async for line in response.content:
        text = line.decode("utf-8").strip()
        if not text.startswith("data:"):
            continue
        if (data := text.removeprefix("data:").strip()) == "[DONE]":
            return
        found = json.loads(data)
        if not isinstance(found, dict):
            raise ValueError("no object")
        yield found


async def texts(socket: aiohttp.ClientWebSocketResponse) -> AsyncGenerator[dict[str, Any], None]:
    """The JSON objects that come over a WebSocket, until it closes."""
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.TEXT:
            return
        yield json.loads(message.data)


def _key(config: CloudProvider) -> str:
    where = f"cloud.providers, {config.name}"
    if config.key_env:
        if not (key := os.environ.get(config.key_env, "").strip()):
            raise ConfigError([f"{where}: the environment has no {config.key_env}"])
        return key
    if not config.key_file:
        return ""
    path = Path(config.key_file).expanduser()
    try:
        if path.stat().st_mode & KEY_MODE:
            raise ConfigError([f"{where}: {path} may be read by others"], mend=f"chmod 600 {path}")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{where}: {path} cannot be read: {error}"]) from error


def _context(config: CloudProvider) -> ssl.SSLContext | bool:
    if not config.ca:
        return True
    try:
        return ssl.create_default_context(cafile=config.ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([f"cloud.providers, {config.name}: {config.ca} cannot be read: {error}"]) from error
