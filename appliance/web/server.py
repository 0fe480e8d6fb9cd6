"""The HTTP server: pages, health, and the routes that doors hand in."""

from __future__ import annotations

import html
import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from string import Template

from aiohttp import web
from aiohttp.typedefs import Middleware

from appliance.terms.errors import DeviceError

from .certificate import Certificate, addresses

PAGES = Path(__file__).parent / "pages"
MAX_BODY_BYTES = 1024 * 1024
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class WebServer:
    """Listens on `host:port` (0 picks one). `missing` names what is not ready yet.

    With a `certificate` it speaks TLS, and with a `welcome_port` it listens there without, to prepare people for their
    browser's warning.
    """

    def __init__(
        self,
        *,
        business: str,
        routes: Iterable[web.RouteDef],
        missing: Callable[[], list[str]],
        host: str,
        port: int,
        certificate: Certificate | None = None,
        welcome_port: int | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._missing = missing
        self._tls = certificate.context() if certificate is not None else None
        self.business = business
        self._page = _template("index.html")
        self._console = _template("console.html")
        self._welcome = None
        if certificate is not None and welcome_port is not None:
            self._welcome = Welcome(business, certificate, host, welcome_port)
        app = web.Application(middlewares=[_guard(host)], client_max_size=MAX_BODY_BYTES)
        app.add_routes([web.get("/", self._call_page), web.get("/healthz", _alive), web.get("/readyz", self._ready)])
        app.add_routes([web.get("/console", self._console_page)])
        app.add_routes(routes)
        app.router.add_static("/pages", PAGES)
        self._runner = web.AppRunner(app, access_log=None)

    @property
    def url(self) -> str:
        """Where it listens, once started; an address of the device's network where it listens on all of them."""
        address, port = self._runner.addresses[0][:2]
        return url(address, port, secure=self._tls is not None)

    @property
    def welcome_url(self) -> str:
        """Where people are prepared for their browser's warning; empty where they need not be."""
        return self._welcome.url if self._welcome is not None else ""

    async def start(self) -> None:
        """Raises DeviceError where an address cannot be used."""
        await _listen(self._runner, self._host, self._port, "http.port", self._tls)
        if self._welcome is not None:
            try:
                await self._welcome.start(self._runner.addresses[0][1])
            except DeviceError:
                await self._runner.cleanup()
                raise

    async def stop(self) -> None:
        if self._welcome is not None:
            await self._welcome.stop()
        await self._runner.cleanup()

    async def _call_page(self, request: web.Request) -> web.Response:
        return self._filled(self._page)

    async def _console_page(self, request: web.Request) -> web.Response:
        """It holds nothing: what it shows it asks for with the owner's token."""
        return self._filled(self._console)

    def _filled(self, page: Template) -> web.Response:
        text = page.substitute(business=html.escape(self.business))
        return web.Response(text=text, content_type="text/html")

    async def _ready(self, request: web.Request) -> web.Response:
        missing = self._missing()
        return web.json_response({"ready": not missing, "missing": missing}, status=503 if missing else 200)


class Welcome:
    """A page without TLS that leads to the one with it."""

    def __init__(self, business: str, certificate: Certificate, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._secure_port = 0
        self._page = _template("welcome.html")
        self._words = {"business": html.escape(business), "fingerprint": certificate.fingerprint}
        app = web.Application(client_max_size=1024)
        app.add_routes([web.get("/", self._show)])
        app.router.add_static("/pages", PAGES)
        self._runner = web.AppRunner(app, access_log=None)

    @property
    def url(self) -> str:
        address, port = self._runner.addresses[0][:2]
        return url(address, port, secure=False)

    async def start(self, secure_port: int) -> None:
        """Raises DeviceError where the address cannot be used."""
        self._secure_port = secure_port
        await _listen(self._runner, self._host, self._port, "http.welcome_port", None)

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _show(self, request: web.Request) -> web.Response:
        host = request.url.host or "localhost"
        secure = f"https://{f'[{host}]' if ':' in host else host}:{self._secure_port}/"
        text = self._page.substitute(self._words, secure=html.escape(secure))
        policy = f"default-src 'self'; connect-src {secure}; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
        headers = {**HEADERS, "Content-Security-Policy": policy}
        return web.Response(text=text, content_type="text/html", headers=headers)


async def _listen(runner: web.AppRunner, host: str, port: int, key: str, tls: ssl.SSLContext | None) -> None:
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except OSError as error:
        await runner.cleanup()
        raise DeviceError(
            f"http: cannot listen on {host}:{port}: {error.strerror or error}",
            mend=f"Stop the program that uses it, or set {key} to another (0 picks a free one).",
        ) from error


def url(address: str, port: int, *, secure: bool) -> str:
    """Of a server that listens there; of all addresses, the device's first on its network."""
    if address in ("0.0.0.0", "::"):
        address = next(iter(addresses()), "127.0.0.1")
    return f"{'https' if secure else 'http'}://{f'[{address}]' if ':' in address else address}:{port}/"


def _template(name: str) -> Template:
    return Template((PAGES / name).read_text(encoding="utf-8"))


async def _alive(request: web.Request) -> web.Response:
    return web.json_response({"alive": True})


def _guard(host: str) -> Middleware:
    """Security headers on everything; and, on loopback, no other site's name (DNS rebinding) and no other origin."""
    local = host in ("127.0.0.1", "::1", "localhost")

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if (local and not _is_local(request.host)) or (origin and origin.split("://")[-1] != request.host):
            return web.json_response({"error": "origin", "message": "This address is not served here."}, status=403)
        response = await handler(request)
        response.headers.update(HEADERS)
        return response

    return guard


def _is_local(host: str) -> bool:
    name = host.rsplit(":", 1)[0].strip("[]") if not host.endswith("]") else host.strip("[]")
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
