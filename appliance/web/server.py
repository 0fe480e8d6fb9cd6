"""The HTTP server: pages, health, and the routes that doors hand in."""

from __future__ import annotations

import html
import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from string import Template

from aiohttp import web
from aiohttp.typedefs import Middleware

from appliance.terms.errors import DeviceError

PAGES = Path(__file__).parent / "pages"
MAX_BODY_BYTES = 1024 * 1024
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class WebServer:
    """Listens on `host:port` (0 picks one). `missing` names what is not ready yet."""

    def __init__(
        self, *, business: str, routes: Iterable[web.RouteDef], missing: Callable[[], list[str]], host: str, port: int
    ) -> None:
        self._host = host
        self._port = port
        self._missing = missing
        self._page = Template((PAGES / "index.html").read_text(encoding="utf-8")).substitute(
            business=html.escape(business)
        )
        app = web.Application(middlewares=[_guard(host)], client_max_size=MAX_BODY_BYTES)
        app.add_routes([web.get("/", self._call_page), web.get("/healthz", _alive), web.get("/readyz", self._ready)])
        app.add_routes(routes)
        app.router.add_static("/pages", PAGES)
        self._runner = web.AppRunner(app, access_log=None)

    @property
    def url(self) -> str:
        """Where it listens, once started."""
        address, port = self._runner.addresses[0][:2]
        return f"http://{f'[{address}]' if ':' in address else address}:{port}/"

    async def start(self) -> None:
        """Raises DeviceError where the address cannot be used."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise DeviceError(
                f"http: cannot listen on {self._host}:{self._port}: {error.strerror or error}",
                mend="Stop the program that uses it, or set http.port to another (0 picks a free one).",
            ) from error

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _call_page(self, request: web.Request) -> web.Response:
        return web.Response(text=self._page, content_type="text/html")

    async def _ready(self, request: web.Request) -> web.Response:
        missing = self._missing()
        return web.json_response({"ready": not missing, "missing": missing}, status=503 if missing else 200)


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
