"""What the owner may choose of the kiosk's screen, and who may see it: without a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from appliance.terms.config import KioskConfig
from appliance.terms.errors import ConfigError
from appliance.web.kiosk import MAX_LOGO_BYTES, PAGES, PAPER, WORDS, KioskPage
from tests.web.test_kiosk_page import PNG, SVG, words
from tests.web.test_style import DARK, LIGHT


def test_every_language_says_everything() -> None:
    assert {path.stem for path in WORDS.glob("*.json")} == {"en", "de", "fr"}
    for language in ("de", "fr"):
        assert list(words(language)) == list(words("en"))
        holes = {key for key, text in words(language).items() if "{word}" in text}
        assert holes == {"idle.word"}
        assert words(language)["lang"] == language


def test_the_screen_s_words_are_those_that_are_used() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES.glob("kiosk*"))
    used = set(re.findall(r'(?:data-word=|\[?)"((?:idle|talk|offline|mend)\.[a-z_.]+)"', text))
    used |= {"lang", *re.findall(r"words\.(goodbye|connecting)", text), *re.findall('data-word="(stuck)"', text)}
    used |= {f"state.{state}" for state in ("waiting", "listening", "thinking", "speaking", "trouble")}
    used |= {f"idle.{wake}" for wake in ("tap", "word", "always", "presence")}
    assert used == set(words("en"))


def test_the_screen_is_small() -> None:
    own = sum(path.stat().st_size for path in PAGES.glob("kiosk*"))
    style = (PAGES / "style.css").read_text(encoding="utf-8").split("/* The kiosk's screen */")[1]
    assert own + len(style) < 60_000


def test_contrast_is_measured_against_the_paper_of_both_themes() -> None:
    assert (PAPER["accent"], PAPER["accent_dark"]) == (LIGHT["paper"], DARK["paper"])


async def answer(config: KioskConfig, path: str, remote: str = "127.0.0.1") -> web.Response:
    (route,) = [route for route in KioskPage(config, lambda: "A & B").routes() if route.path == path]
    response = await route.handler(make_mocked_request("GET", path).clone(remote=remote))
    assert isinstance(response, web.Response)
    return response


async def test_the_page_is_filled_for_its_owner() -> None:
    page = (await answer(KioskConfig(language="fr", theme="dark"), "/kiosk")).text or ""
    assert '<html lang="fr" data-theme="dark" class="kiosk">' in page
    assert '<h1 id="business">A &amp; B</h1>' in page
    assert "/kiosk/logo" not in page
    assert "$" not in page


@pytest.mark.parametrize("path", ["/kiosk", "/kiosk/words.json", "/kiosk/theme.css", "/kiosk/logo"])
async def test_only_the_device_itself_is_shown_its_screen(path: str, tmp_path: Path) -> None:
    (tmp_path / "logo").write_bytes(SVG)
    config = KioskConfig(logo=str(tmp_path / "logo"))
    for own in ("127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"):
        assert (await answer(config, path, own)).status == 200
    for other in ("192.168.1.7", "::ffff:192.168.1.7", "fe80::1", "", "unknown"):
        refused = await answer(config, path, other)
        assert refused.status == 403
        assert set(json.loads(refused.text or "")) == {"error", "message"}


async def test_no_logo_is_not_found() -> None:
    assert (await answer(KioskConfig(), "/kiosk/logo")).status == 404


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (SVG, "image/svg+xml"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><!-- made by hand --><!DOCTYPE svg>' + SVG, "image/svg+xml"),
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
async def test_a_logo_is_known_by_its_bytes(tmp_path: Path, data: bytes, kind: str) -> None:
    (tmp_path / "logo.txt").write_bytes(data)
    config = KioskConfig(logo=str(tmp_path / "logo.txt"))
    shown = await answer(config, "/kiosk/logo")
    assert (shown.content_type, shown.body) == (kind, data)
    assert 'src="/kiosk/logo"' in ((await answer(config, "/kiosk")).text or "")


def problems(**keys: Any) -> list[str]:
    with pytest.raises(ConfigError) as error:
        KioskPage(KioskConfig(**keys), lambda: "Harbour House")
    assert error.value.mend
    return error.value.problems


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"<svg viewBox='0 0 1 1'/>", "is no SVG, PNG, JPEG or WebP picture"),
        (b"<html></html>", "is no SVG"),
        (b"GIF89a", "is no SVG"),
        (b"", "is no SVG"),
        (b"<?xml version='1.0' encoding='nonsense'?><svg/>", "is no SVG"),
        (PNG + bytes(MAX_LOGO_BYTES), "is larger than 1 MB"),
        (None, "No such file"),
    ],
)
def test_a_logo_that_cannot_be_shown(tmp_path: Path, data: bytes | None, problem: str) -> None:
    path = tmp_path / "logo.svg"
    if data is not None:
        path.write_bytes(data)
    (told,) = problems(logo=str(path))
    assert told.startswith(f"kiosk.logo: {path}")
    assert problem in told


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"idle.tab": "x"}', "'idle.tab' is not a known key; did you mean 'idle.tap'?"),
        ('{"goodbye": 7}', "'goodbye' must be text"),
        ('{"lang": "not a tag"}', "it must be a language's tag"),
        ("[]", "it is no JSON object"),
        ("{", "it is not JSON"),
        ('{"goodbye": "\xe9"}', "it is not JSON in UTF-8"),
        ("[" * 40_000, "it is not JSON"),
        (" " * 70_000, "it is larger than 64 kB"),
    ],
)
def test_a_language_file_that_cannot_be_used(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "es.json"
    path.write_text(text, encoding="latin-1")
    (told,) = problems(language=str(path))
    assert told.startswith(f"kiosk.language: {path}: ")
    assert problem in told


async def test_a_language_file_may_be_partial(tmp_path: Path) -> None:
    path = tmp_path / "es.json"
    path.write_text('{"lang": "es", "goodbye": "Adiós"}', encoding="utf-8")
    config = KioskConfig(language=str(path))
    told = json.loads((await answer(config, "/kiosk/words.json")).text or "")
    assert told == words("en") | {"lang": "es", "goodbye": "Adiós"}
    assert '<html lang="es"' in ((await answer(config, "/kiosk")).text or "")


def test_every_problem_is_told_at_once() -> None:
    told = problems(language="xx", accent="blue", accent_dark="#15191c", logo="/nowhere.png")
    assert told[0] == "kiosk.language = 'xx': it is none of de, en, fr, and there is no such file"
    assert told[1] == "kiosk.accent = 'blue': it must be a colour as '#1f5a85'"
    assert "its contrast to the background (#15191c) is 1.0:1, less than 4.5:1; take a lighter one" in told[2]
    assert "/nowhere.png" in told[3]


def test_a_contrast_just_too_low_is_not_told_as_enough() -> None:
    (told,) = problems(accent="#777777")
    assert "is 4.1:1" in told


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (KioskConfig(), ""),
        (KioskConfig(accent="#7a1f5c"), ":root{--accent:#7a1f5c}\n"),
        (
            KioskConfig(accent_dark="#e9a5d0"),
            '@media (prefers-color-scheme:dark){:root:not([data-theme="light"]){--accent:#e9a5d0}}\n'
            ':root[data-theme="dark"]{--accent:#e9a5d0}\n',
        ),
    ],
)
async def test_the_owner_s_colours(config: KioskConfig, expected: str) -> None:
    css = await answer(config, "/kiosk/theme.css")
    assert (css.text or "", css.content_type) == (expected, "text/css")
