"""The kiosk's screen: the page, and what the owner chose of it (language, theme, colour, logo).

All of it is served to the device itself only: the screen is the device's own, and what is said before it belongs to
whoever stands there.
"""

from __future__ import annotations

import difflib
import hashlib
import html
import ipaddress
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from string import Template
from typing import Any
from xml.etree import ElementTree

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from appliance.terms.config import KioskConfig
from appliance.terms.errors import ConfigError

PAGES = Path(__file__).parent / "pages"
WORDS = PAGES / "words"
PAPER = {"accent": "#f8f7f3", "accent_dark": "#15191c"}
"""What each accent is written on, and the letters on a button of that colour: `--paper` of both themes."""
CONTRAST = 4.5
"""WCAG 2.2, success criterion 1.4.3."""
MAX_LOGO_BYTES = 1_000_000
MAX_WORDS_BYTES = 64_000
LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
FORWARDED = ("Forwarded", "X-Forwarded-For")
LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
BELL = '<svg class="mark" aria-hidden="true"><use href="/pages/icons.svg#bell"/></svg>'
LOGO = '<img class="mark logo" src="/kiosk/logo" alt="">'

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class KioskPage:
    """The routes of the screen; `business` tells the name above it. Raises ConfigError with every problem found."""

    def __init__(self, config: KioskConfig, business: Callable[[], str]) -> None:
        self._business = business
        self._theme = config.theme
        problems: list[str] = []
        self._words = _words(config.language, problems)
        self._colours = _colours(config, problems)
        self._logo = _logo(config.logo, problems)
        if problems:
            raise ConfigError(problems, mend="Correct these in [kiosk]; nothing was started.")
        self._template = Template((PAGES / "kiosk.html").read_text(encoding="utf-8"))
        self._made = _made(self._words, self._colours, self._logo)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/kiosk", own_screen(self._page)),
            web.get("/kiosk/words.json", own_screen(self._tell_words)),
            web.get("/kiosk/theme.css", own_screen(self._tell_colours)),
            web.get("/kiosk/logo", own_screen(self._show_logo)),
        ]

    async def _page(self, request: web.Request) -> web.Response:
        text = self._template.substitute(
            business=html.escape(self._business()),
            lang=html.escape(self._words["lang"]),
            theme=self._theme,
            mark=LOGO if self._logo else BELL,
        )
        response = web.Response(text=text, content_type="text/html")
        # The screen asks for this after every restart of the device, and loads itself anew where it has changed.
        response.etag = hashlib.sha256((self._made + text).encode()).hexdigest()[:16]
        return response

    async def _tell_words(self, request: web.Request) -> web.Response:
        return web.json_response(self._words)

    async def _tell_colours(self, request: web.Request) -> web.Response:
        return web.Response(text=self._colours, content_type="text/css")

    async def _show_logo(self, request: web.Request) -> web.Response:
        if self._logo is None:
            return web.json_response({"error": "logo", "message": "kiosk.logo is not set."}, status=404)
        kind, data = self._logo
        return Sealed(body=data, content_type=kind)


class Sealed(web.Response):
    """A picture that may run nothing, even where it is opened by itself: an SVG can hold scripts.

    The server lays its own policy over every answer when the handler has returned; this one is set after that.
    """

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        self.headers["Content-Security-Policy"] = LOGO_POLICY
        return await super().prepare(request)


def own_screen(handler: Handler) -> Handler:
    """Only for who asks from the device itself, and by its own name: another site's page may have a name of its own
    that leads here (DNS rebinding)."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        host = request.url.host or ""
        if any(name in request.headers for name in FORWARDED):  # by a proxy on the device, for somebody elsewhere
            return _refused()
        if not _is_loopback(request.remote) or not (host == "localhost" or _is_loopback(host)):
            return _refused()
        return await handler(request)

    return guarded


def _refused() -> web.Response:
    message = "The kiosk's screen is shown on the device itself only."
    return web.json_response({"error": "kiosk", "message": message}, status=403)


def _is_loopback(remote: str | None) -> bool:
    try:
        address = ipaddress.ip_address(remote or "")
    except ValueError:
        return False
    # A socket for both families tells IPv4 so; Python before 3.13 does not call that loopback.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _words(language: str, problems: list[str]) -> dict[str, str]:
    """The language's words over English."""
    english = _read_words(WORDS / "en.json")
    builtin = {path.stem: path for path in WORDS.glob("*.json")}
    path = builtin.get(language) or Path(language).expanduser()
    try:
        chosen = _read_words(path)
    except FileNotFoundError:
        names = ", ".join(sorted(builtin))
        problems.append(f"kiosk.language = {language!r}: it is none of {names}, and there is no such file")
    except OSError as error:
        problems.append(f"kiosk.language: {path}: {error.strerror or error}")
    except ValueError as error:
        problems.append(f"kiosk.language: {path}: {error}")
    else:
        problems += [f"kiosk.language: {path}: {problem}" for problem in _check(chosen, english)]
        return english | chosen
    return english


def _read_words(path: Path) -> dict[str, Any]:
    """Raises OSError, or ValueError that says what the file is not."""
    with path.open("rb") as file:
        data = file.read(MAX_WORDS_BYTES + 1)
    if len(data) > MAX_WORDS_BYTES:
        raise ValueError(f"it is larger than {MAX_WORDS_BYTES // 1000} kB")
    try:
        words = json.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"it is not JSON in UTF-8 ({error})") from None
    if not isinstance(words, dict):
        raise ValueError("it is no JSON object")
    return words


def _check(chosen: dict[str, Any], english: dict[str, str]) -> list[str]:
    problems = []
    for key, text in chosen.items():
        if key not in english:
            close = difflib.get_close_matches(key, english, n=1, cutoff=0.5)
            problems.append(f"{key!r} is not a known key" + (f"; did you mean {close[0]!r}?" if close else ""))
        elif not isinstance(text, str):
            problems.append(f"{key!r} must be text")
        elif key == "lang" and not LANGUAGE_TAG.fullmatch(text):
            problems.append(f"lang = {text!r}: it must be a language's tag, as 'es' or 'pt-BR'")
    return problems


def _colours(config: KioskConfig, problems: list[str]) -> str:
    """The owner's colours as a stylesheet over ours; empty where there are none."""
    for key, paper in PAPER.items():
        colour = getattr(config, key)
        if colour and not re.fullmatch("#[0-9a-fA-F]{6}", colour):
            problems.append(f"kiosk.{key} = {colour!r}: it must be a colour as '#1f5a85'")
        elif colour and (ratio := _contrast(colour, paper)) < CONTRAST:
            # Cut, not rounded: 4.48 must not be told as 4.5.
            told = int(ratio * 10) / 10
            which = "darker" if key == "accent" else "lighter"
            problems.append(
                f"kiosk.{key} = {colour!r}: its contrast to the background ({paper}) is {told}:1, less than "
                f"{CONTRAST}:1; take a {which} one"
            )
    css = ""
    if config.accent:
        css += f":root{{--accent:{config.accent}}}\n"
    if config.accent_dark:
        dark = f"{{--accent:{config.accent_dark}}}"
        css += f'@media (prefers-color-scheme:dark){{:root:not([data-theme="light"]){dark}}}\n'
        css += f':root[data-theme="dark"]{dark}\n'
    return css


def _contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two `#rrggbb`, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """WCAG's relative luminance of `#rrggbb`, 0 to 1."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _logo(name: str, problems: list[str]) -> tuple[str, bytes] | None:
    """Its media type and its bytes."""
    if not name:
        return None
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LOGO_BYTES + 1)
    except OSError as error:
        problems.append(f"kiosk.logo: {path}: {error.strerror or error}")
        return None
    if len(data) > MAX_LOGO_BYTES:
        problems.append(f"kiosk.logo: {path} is larger than 1 MB")
    elif kind := _kind(data):
        return kind, data
    else:
        problems.append(f"kiosk.logo: {path} is no SVG, PNG, JPEG or WebP picture")
    return None


def _kind(data: bytes) -> str:
    """A picture's media type by its bytes; empty where it is none that every browser shows."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError):  # the latter two: of the encoding it names
        return ""
    # Without its namespace a browser shows nothing of it.
    return "image/svg+xml" if root.tag == "{http://www.w3.org/2000/svg}svg" else ""


def _made(words: dict[str, str], colours: str, logo: tuple[str, bytes] | None) -> str:
    """Changes with everything that the screen is made of, besides the page's own text."""
    made = hashlib.sha256(json.dumps([words, colours]).encode() + (logo[1] if logo else b""))
    for path in sorted(PAGES.iterdir()):
        if path.is_file():
            made.update(path.read_bytes())
    return made.hexdigest()
