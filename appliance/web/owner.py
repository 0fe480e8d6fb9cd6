"""The owner's token: who has it may see the device's calls. A program sends it, a browser trades it for a cookie."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from appliance.terms.errors import DeviceError

FILE = "owner-token"
COOKIE = "frontdesk-owner"
COOKIE_AGE_S = 30 * 24 * 3600
MAX_TOKEN = 200
BEARER = "Bearer "

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def token(state: Path, name: str = FILE) -> str:
    """The device's, from its state folder; made there the first time, for its user's eyes only.

    Raises DeviceError where it can be neither read nor made.
    """
    file = state / name
    try:
        if not file.exists() or not file.read_text(encoding="ascii").strip():
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = file.with_suffix(".part")
            part.unlink(missing_ok=True)
            part.touch(mode=0o600)
            part.write_text(secrets.token_urlsafe(24) + "\n", encoding="ascii")
            part.replace(file)
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceError(
            f"the token {file} cannot be read or made: {error}",
            mend="Is the disk full, or the folder not writable? A damaged file may be deleted: it is made anew.",
        ) from error


class Owner:
    """Tells the owner from everybody else."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._cookie = hmac.new(token.encode(), b"console", hashlib.sha256).hexdigest()

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/api/owner", self._come), web.delete("/api/owner", self._go)]

    def only(self, handler: Handler) -> Handler:
        """The handler, for the owner alone."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if self._is_owner(request):
                return await handler(request)
            return _refused("This needs the owner's token.")

        return handle

    def _is_owner(self, request: web.Request) -> bool:
        sent = request.headers.get("Authorization", "")
        if sent.startswith(BEARER):
            return _same(sent.removeprefix(BEARER), self._token)
        return _same(request.cookies.get(COOKIE, ""), self._cookie)

    async def _come(self, request: web.Request) -> web.Response:
        """`{"token"}` in, a cookie out."""
        try:
            sent = str((await request.json())["token"]).strip()
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": "token", "message": 'Send {"token": "…"}.'}, status=400)
        if not _same(sent, self._token):
            return _refused("This is not the device's token.")
        response = web.json_response({"owner": True})
        response.set_cookie(
            COOKIE, self._cookie, max_age=COOKIE_AGE_S, httponly=True, samesite="Strict", secure=request.secure
        )
        return response

    async def _go(self, request: web.Request) -> web.Response:
        response = web.json_response({"owner": False})
        response.del_cookie(COOKIE)
        return response


def _same(sent: str, right: str) -> bool:
    return hmac.compare_digest(sent[:MAX_TOKEN].encode("utf-8", "replace"), right.encode())


def _refused(message: str) -> web.Response:
    headers = {"WWW-Authenticate": BEARER.strip()}
    return web.json_response({"error": "owner", "message": message}, status=401, headers=headers)
