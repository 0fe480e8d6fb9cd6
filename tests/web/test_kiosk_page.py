"""The kiosk's screen in a real browser, beside a device that follows a script."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSCloseCode, web
from selenium import webdriver
from selenium.webdriver.common.by import By

from appliance.terms.config import KioskConfig
from appliance.web.kiosk import LOGO_POLICY, WORDS, KioskPage
from appliance.web.server import WebServer
from tests.web.chromium import body, browser, until

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 30"><path d="M0 0h90v30z" fill="#1f5a85"/></svg>'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
SCREENS = {
    "landscape": (1280, 800),
    "hd": (1920, 1080),
    "portrait": (1080, 1920),
    "small": (800, 480),
    "phone": (360, 740),
}
FOLDER = os.environ.get("FRONTDESK_SCREENSHOTS", "")
EVIL = "<img src=x onerror=document.title='caught'>"


def words(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((WORDS / f"{language}.json").read_text(encoding="utf-8"))
    return found


class ScriptedDesk:
    """The device's end of the screen's web socket: it tells what the test says, and keeps what the screen sends."""

    def __init__(self, config: KioskConfig, business: str = "Harbour House") -> None:
        self.received: list[dict[str, str]] = []
        self.first = kiosk_message("idle")
        self.away = False
        """It answers nobody."""
        self.connections = 0
        self._business = business
        self._sockets: set[web.WebSocketResponse] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        routes = [*KioskPage(config, lambda: self._business).routes(), web.get("/kiosk/events", self._events)]
        self._server = WebServer(business=business, routes=routes, missing=lambda: [], host="127.0.0.1", port=0)

    def start(self) -> None:
        self._thread.start()
        self._do(self._server.start())
        self.url = f"{self._server.url}kiosk"

    def stop(self) -> None:
        self.drop()
        self._do(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def say(self, **message: Any) -> None:
        if message["type"] == "kiosk":
            self.first = message
        self._do(self._tell(message))

    def state(self, state: str, **more: str) -> None:
        self.say(**kiosk_message(state, **more))

    def rename(self, business: str) -> None:
        self._business = business

    def drop(self) -> None:
        self._do(self._drop())

    def sent(self) -> list[str]:
        return [message["type"] for message in self.received]

    def hum(self, side: str, seconds: float) -> None:
        """Levels as of somebody who speaks, one every 66 ms."""
        self._do(self._hum(side, seconds))

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self.away:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        self._sockets.add(socket)
        await socket.send_json(self.first)
        async for message in socket:
            self.received.append(message.json())
        self._sockets.discard(socket)
        return socket

    async def _tell(self, message: dict[str, Any]) -> None:
        for socket in list(self._sockets):
            await socket.send_json(message)

    async def _drop(self) -> None:
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def _hum(self, side: str, seconds: float) -> None:
        other = {"caller_db": "agent_db", "agent_db": "caller_db"}[side]
        for step in range(int(seconds * 15)):
            loud = -24.0 + 12 * math.sin(step * 0.9) * math.sin(step * 0.23) - (20 if step % 13 > 10 else 0)
            await self._tell({"type": "level", side: loud, other: -90.0})
            await asyncio.sleep(1 / 15)


def kiosk_message(
    state: str, why: str = "", wake: str = "tap", word: str = "hey jarvis", call: str | None = None
) -> dict[str, str]:
    held = "" if state in ("idle", "offline") else "c1"
    return {"type": "kiosk", "state": state, "why": why, "wake": wake, "word": word, "call": call or held}


@contextmanager
def desk_with(config: KioskConfig, business: str = "Harbour House") -> Iterator[ScriptedDesk]:
    desk = ScriptedDesk(config, business)
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with browser() as driver:
        yield driver


@pytest.fixture(scope="module")
def english() -> Iterator[ScriptedDesk]:
    with desk_with(KioskConfig()) as desk:
        yield desk


@pytest.fixture
def desk(english: ScriptedDesk, driver: webdriver.Chrome) -> ScriptedDesk:
    """The screen is open, and nobody is there."""
    english.received.clear()
    english.first = kiosk_message("idle")
    opened(driver, english)
    return english


def opened(driver: webdriver.Chrome, desk: ScriptedDesk) -> None:
    size(driver, "landscape")
    driver.get(desk.url)
    shows(driver, "offline" if desk.first["state"] == "offline" else "idle")


def shows(driver: webdriver.Chrome, screen: str, within_s: float = 5) -> None:
    until(driver, lambda: body(driver, "screen") == screen, within_s)


def size(driver: webdriver.Chrome, screen: str) -> None:
    width, height = SCREENS[screen]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def seen(driver: webdriver.Chrome, selector: str = "body") -> str:
    """The text in sight, in one step: captions are replaced while they grow."""
    return str(driver.execute_script("return document.querySelector(arguments[0])?.innerText || ''", selector))


def key(driver: webdriver.Chrome, name: str, *, repeats: int = 0) -> None:
    """Press a key, hold it, let it go."""
    code, text = {"Enter": (13, "\r"), " ": (32, " ")}[name]
    pressed = {"key": name, "windowsVirtualKeyCode": code, "text": text}
    for count in range(1 + repeats):
        driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyDown", "autoRepeat": count > 0, **pressed})
    driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})


def touch(driver: webdriver.Chrome) -> None:
    """A finger that rests for longer than a click may last, and trembles."""
    for kind, points in (("touchStart", [(640, 400)]), ("touchMove", [(644, 402)]), ("touchEnd", [])):
        told = [{"x": x, "y": y} for x, y in points]
        driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})
        if kind == "touchMove":
            began = time.monotonic()
            until(driver, lambda began=began: time.monotonic() - began > 1, 3)  # type: ignore[misc]


def ended(driver: webdriver.Chrome, desk: ScriptedDesk, press: Callable[[], None]) -> None:
    """End the conversation, once the screen lets one: an early press is taken for half of a double one."""
    began = time.monotonic()
    until(driver, lambda: time.monotonic() - began > 0.8, 5)
    press()
    until(driver, lambda: "end" in desk.sent(), 5)


STATES = [
    (kiosk_message("idle"), "idle", ["Touch the screen to talk to the front desk", "An automatic voice answers."]),
    (kiosk_message("idle", wake="word"), "idle", ["Say “Hey\u00a0Jarvis”, or touch the screen"]),
    (kiosk_message("idle", wake="always"), "idle", ["Just speak, or touch the screen"]),
    (kiosk_message("idle", wake="presence"), "idle", ["Step closer, or touch the screen"]),
    (kiosk_message("idle", why="tap.stuck"), "idle", ["seems to be stuck"]),
    (kiosk_message("waiting"), "talk", ["Waiting", "Say hello", "End"]),
    (kiosk_message("listening"), "talk", ["Listening", "End"]),
    (kiosk_message("thinking"), "talk", ["Thinking", "End"]),
    (kiosk_message("speaking", why="tap.stuck"), "talk", ["Speaking", "End", "seems to be stuck"]),
    (kiosk_message("trouble"), "talk", ["Trouble", "Please wait a moment, or ask a member of staff.", "End"]),
    (kiosk_message("offline", "starting"), "offline", ["One moment, I am waking up"]),
    (
        kiosk_message("offline", "microphone.silent"),
        "offline",
        ["I cannot hear", "Please ask a member of staff.", "The microphone gives no sound. Is it plugged in"],
    ),
    (kiosk_message("offline", "microphone.missing"), "offline", ["I cannot hear", "The microphone is missing."]),
    (kiosk_message("offline", "loudspeaker.missing"), "offline", ["I cannot speak", "The loudspeaker is missing."]),
    (kiosk_message("offline", "engine"), "offline", ["I cannot talk", "switch the device off and on"]),
    (kiosk_message("offline", "no_library"), "offline", ["I cannot talk", "frontdesk check"]),
    (kiosk_message("offline", "closed"), "offline", ["being switched off"]),
    (kiosk_message("offline", "quicksand"), "offline", ["I cannot talk", "frontdesk check"]),
]


@pytest.mark.browser
def test_each_state_shows_its_words(desk: ScriptedDesk, driver: webdriver.Chrome) -> None:
    for message, screen, expected in STATES:
        desk.say(**message)
        shows(driver, screen)
        until(driver, lambda expected=expected: all(text in seen(driver) for text in expected), 3)  # type: ignore[misc]
        if screen == "idle":
            assert "Harbour House" in seen(driver)
            assert re.search(r"\d:\d\d", seen(driver, "#clock"))
            assert "stuck" in seen(driver) or message["why"] == ""


@pytest.mark.browser
@pytest.mark.parametrize("way", ["mouse", "touch", "Enter", " ", "screen reader"])
def test_a_press_is_told_once(desk: ScriptedDesk, driver: webdriver.Chrome, way: str) -> None:
    def press() -> None:
        button = driver.find_element(By.ID, "end" if body(driver, "screen") == "talk" else "start")
        if way == "mouse":
            button.click()
        elif way == "screen reader":
            driver.execute_script("arguments[0].click()", button)
        elif way == "touch":
            touch(driver)
        else:
            key(driver, way, repeats=5)

    press()
    until(driver, lambda: desk.sent() == ["tap"], 5)
    desk.state("waiting")
    shows(driver, "talk")
    # The end comes after anything else that the press may have told.
    ended(driver, desk, driver.find_element(By.ID, "end").click)
    assert desk.sent() == ["tap", "end"]


@pytest.mark.browser
def test_the_second_half_of_a_double_press_ends_nothing(desk: ScriptedDesk, driver: webdriver.Chrome) -> None:
    desk.state("waiting")
    shows(driver, "talk")
    driver.execute_script("document.getElementById('end').click()")
    ended(driver, desk, lambda: key(driver, "Enter"))
    assert desk.sent() == ["end"]


@pytest.mark.browser
def test_a_key_pressed_before_and_released_after_a_change_presses_nothing(
    desk: ScriptedDesk, driver: webdriver.Chrome
) -> None:
    driver.execute_script("dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter'}))")
    desk.state("listening", wake="word")
    shows(driver, "talk")
    driver.execute_script("dispatchEvent(new KeyboardEvent('keyup', {key: 'Enter'}))")
    ended(driver, desk, lambda: key(driver, " "))
    assert desk.sent() == ["end"]


@pytest.mark.browser
def test_captions_come_word_by_word_and_go_with_the_visitor(desk: ScriptedDesk, driver: webdriver.Chrome) -> None:
    desk.state("listening")
    caption(desk, "caller", "where can I", stable=False, settled=2)
    until(driver, lambda: seen(driver, ".said .unsettled") == "I", 3)
    caption(desk, "caller", "Where can I park?")
    until(driver, lambda: seen(driver, ".said .words") == "Where can I park?", 3)
    assert seen(driver, ".said .who") == "You"

    desk.say(type="state", call="c1", state="speaking")
    caption(desk, "agent", "In the yard behind the house, and in Mill Lane.", duration_ms=60_000)
    until(driver, lambda: seen(driver, ".reply .word") == "In", 3)
    pending = "return document.querySelectorAll('.word.pending').length"
    assert driver.execute_script(pending) == 9
    desk.say(type="heard", call="c1", turn=1, text="In the yard")
    until(driver, lambda: seen(driver, ".reply .unheard") == "behind the house, and in Mill Lane.", 3)
    assert driver.execute_script(pending) == 0

    caption(desk, "caller", "of another call", call="c0")
    desk.state("idle")
    shows(driver, "goodbye")
    assert seen(driver, "main").strip() == "Goodbye"
    gone = "return !/park|yard|another/.test(document.documentElement.textContent)"
    assert driver.execute_script(gone)
    caption(desk, "caller", "that comes too late, with another word")
    shows(driver, "idle")
    assert driver.execute_script(gone)


def caption(desk: ScriptedDesk, who: str, text: str, *, call: str = "c1", turn: int = 1, **more: Any) -> None:
    desk.say(type="caption", call=call, who=who, turn=turn, text=text, **more)


@pytest.mark.browser
def test_the_newest_words_are_in_sight(desk: ScriptedDesk, driver: webdriver.Chrome) -> None:
    desk.state("speaking")
    for turn in range(1, 13):
        caption(desk, "caller", f"This is question number {turn}, which is long enough for a second line.", turn=turn)
        caption(desk, "agent", f"And this is the answer to it, the answer number {turn}.", turn=turn)
    last = "#captions .turn:last-of-type .reply"
    until(driver, lambda: "number 12" in seen(driver, last), 3)
    said, reply = (driver.find_element(By.CSS_SELECTOR, each).rect for each in ("#said", last))
    assert reply["y"] >= said["y"]
    assert reply["y"] + reply["height"] <= said["y"] + said["height"] + 1
    assert len(driver.find_elements(By.CSS_SELECTOR, "#captions .turn")) == 6


@pytest.mark.browser
def test_the_meter_draws_what_the_device_hears(desk: ScriptedDesk, driver: webdriver.Chrome) -> None:
    desk.state("listening")
    shows(driver, "talk")
    ring = "return Number(document.getElementById('state').style.getPropertyValue('--level'))"
    desk.hum("caller_db", 0.4)
    until(driver, lambda: driver.execute_script(ring) > 0.1, 3)
    until(driver, lambda: driver.execute_script(ring) < 0.01, 3)  # what is told no more is no level


@pytest.mark.browser
def test_a_quick_reply_shows_no_thinking(desk: ScriptedDesk, driver: webdriver.Chrome) -> None:
    desk.state("listening")
    shows(driver, "talk")
    driver.execute_script(
        "window.shown = []; document.getElementById('state').addEventListener('shown', (e) => shown.push(e.detail))"
    )
    desk.state("thinking")
    desk.state("speaking")
    until(driver, lambda: body(driver, "state") == "speaking", 3)
    assert driver.execute_script("return window.shown") == ["speaking"]


@pytest.mark.browser
def test_markup_stays_text(driver: webdriver.Chrome) -> None:
    with desk_with(KioskConfig(), business=EVIL) as desk:
        opened(driver, desk)
        assert seen(driver, "#business") == EVIL
        desk.state("idle", wake="word", word=EVIL)
        until(driver, lambda: "onerror" in seen(driver, "#invitation").lower(), 3)
        desk.state("speaking")
        caption(desk, "caller", EVIL)
        caption(desk, "agent", EVIL)
        until(driver, lambda: EVIL in seen(driver, ".said") and EVIL in seen(driver, ".reply"), 3)
        assert driver.execute_script("return document.querySelectorAll('img').length") == 0
        assert driver.title == EVIL


@pytest.mark.browser
def test_a_dropped_line_is_made_anew(desk: ScriptedDesk, driver: webdriver.Chrome) -> None:
    desk.state("listening")
    caption(desk, "caller", "What is my secret?")
    until(driver, lambda: "secret" in seen(driver), 3)
    known = desk.connections
    desk.drop()
    until(driver, lambda: desk.connections > known, 5)
    assert body(driver, "screen") == "talk", "a short break is not worth a word"
    assert "secret" in seen(driver), "the same conversation goes on"

    desk.away = True
    desk.drop()
    shows(driver, "connecting")
    assert "One moment, the front desk is coming back" in seen(driver)
    assert "secret" not in driver.page_source
    desk.away = False
    desk.first = kiosk_message("idle")
    shows(driver, "idle", 10)


@pytest.mark.browser
def test_after_a_restart_a_changed_screen_is_loaded_anew(desk: ScriptedDesk, driver: webdriver.Chrome) -> None:
    driver.execute_script("window.old = true")
    desk.rename("Harbour Hotel")
    try:
        desk.drop()
        until(driver, lambda: seen(driver, "#business") == "Harbour Hotel", 10)
        assert not driver.execute_script("return window.old")
    finally:
        desk.rename("Harbour House")


@pytest.mark.browser
def test_the_words_of_another_language(driver: webdriver.Chrome) -> None:
    with desk_with(KioskConfig(language="de", theme="dark")) as desk:
        opened(driver, desk)
        assert "Berühren Sie den Bildschirm" in seen(driver)
        assert driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == "de"
        for state in ("waiting", "speaking"):
            desk.state(state)
            until(driver, lambda state=state: words("de")[f"state.{state}"] in seen(driver), 3)  # type: ignore[misc]
        caption(desk, "caller", "Guten Tag")
        until(driver, lambda: seen(driver, ".said .who") == "Sie", 3)
        english_words = set(words("en").values()) - set(words("de").values())
        assert not [each for each in english_words if each in seen(driver).split("\n")]


@pytest.mark.browser
def test_an_owner_s_colour_and_logo(driver: webdriver.Chrome, tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_bytes(SVG)
    mine = {"accent": "#7a1f5c", "accent_dark": "#e9a5d0", "logo": str(tmp_path / "logo.svg")}
    pill = "return getComputedStyle(document.querySelector('.kiosk-pill')).backgroundColor"
    for theme, colour in (("light", "rgb(122, 31, 92)"), ("dark", "rgb(233, 165, 208)")):
        with desk_with(KioskConfig(theme=theme, **mine)) as desk:  # type: ignore[arg-type]
            opened(driver, desk)
            assert driver.execute_script(pill) == colour
            until(driver, lambda: driver.execute_script(LOGO_WIDTH) > 0, 3)


@pytest.mark.browser
def test_nothing_is_asked_of_another_host(desk: ScriptedDesk, driver: webdriver.Chrome) -> None:
    asked = driver.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert any(name.endswith("/kiosk/words.json") for name in asked)
    home = desk.url.removesuffix("kiosk")
    assert [name for name in asked if not name.startswith(home)] == []
    log: list[dict[str, str]] = driver.execute("getLog", {"type": "browser"})["value"]
    errors = [entry for entry in log if entry["level"] == "SEVERE"]
    assert [entry for entry in errors if "/kiosk/events" not in entry["message"]] == []


LOGO_WIDTH = "return document.querySelector('img.logo').naturalWidth"
OUTSIDE = """
const outside = [];
for (const element of document.querySelectorAll('main *, header *')) {
  if (element.closest('#said, .visually-hidden, noscript, [hidden]') || element.childElementCount > 0) continue;
  const box = element.getBoundingClientRect();
  if (box.width === 0) continue;
  if (box.left < -1 || box.top < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1) {
    outside.push(`${element.tagName} ${element.id} ${element.textContent}`);
  }
}
return outside;
"""
OVERLAPS = """
const boxes = [...document.querySelectorAll(
  'h1, #clock, #date, .kiosk-pill, #voice, .kiosk-stuck, .kiosk-title, .kiosk-mend, call-state, #said, #end, #meter')]
  .filter((e) => e.checkVisibility() && !e.closest('#said *'))
  .map((e) => [e.id || e.className || e.tagName, e.getBoundingClientRect()]);
return boxes.flatMap(([one, a], at) => boxes.slice(at + 1)
  .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2)
  .map(([other]) => `${one} × ${other}`));
"""


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_everything_fits_every_screen(driver: webdriver.Chrome, language: str) -> None:
    with desk_with(KioskConfig(language=language)) as desk:
        opened(driver, desk)
        for message, screen, _ in STATES:
            desk.say(**message)
            until(driver, lambda screen=screen: body(driver, "screen") in (screen, "goodbye"), 3)  # type: ignore[misc]
            if body(driver, "screen") == "goodbye":
                continue
            for name in SCREENS:
                size(driver, name)
                found = driver.execute_script(OUTSIDE) + driver.execute_script(OVERLAPS)
                assert not found, (name, message, found)


@pytest.mark.browser
def test_buttons_are_big_and_named_and_what_is_read_from_afar_is_large(
    desk: ScriptedDesk, driver: webdriver.Chrome
) -> None:
    box = (
        "const {width, height} = document.getElementById(arguments[0]).getBoundingClientRect(); return [width, height]"
    )
    letters = "return parseFloat(getComputedStyle(document.querySelector(arguments[0])).fontSize)"
    assert driver.execute_script(box, "start") == [1280, 800]
    assert driver.find_element(By.ID, "start").accessible_name == words("en")["idle.tap"]
    assert driver.execute_script("return document.activeElement.id") == "start"
    for selector, least_px in (("#clock", 200), ("#invitation", 36), ("#date", 36), ("h1", 36), ("#voice", 20)):
        assert driver.execute_script(letters, selector) >= least_px, selector
    desk.state("listening")
    shows(driver, "talk")
    caption(desk, "caller", "Hello")
    until(driver, lambda: "Hello" in seen(driver), 3)
    for selector, least_px in ((".state-word", 60), (".words", 36), ("#end", 36)):
        assert driver.execute_script(letters, selector) >= least_px, selector
    assert driver.find_element(By.ID, "end").accessible_name == "End"
    for name in SCREENS:
        size(driver, name)
        width, height = driver.execute_script(box, "end")
        assert width >= 72
        assert height >= 72


@pytest.mark.browser
def test_a_screen_reader_is_told(desk: ScriptedDesk, driver: webdriver.Chrome) -> None:
    announced = "return document.getElementById('announcement').textContent"
    regions = "[aria-live=polite], [role=status], [role=alert]"
    live = f"return [...document.querySelectorAll('{regions}')].map((e) => e.textContent)"
    desk.state("listening")
    caption(desk, "caller", "Is there a lift?")
    until(driver, lambda: "You: Is there a lift?" in driver.execute_script(live), 3)
    caption(desk, "agent", "Yes, beside the stairs.", duration_ms=60_000)
    until(driver, lambda: "Yes, beside the stairs." in driver.execute_script(live), 3)
    assert "Listening" in driver.execute_script(live)
    desk.state("idle")
    until(driver, lambda: driver.execute_script(announced) == "Goodbye", 3)
    desk.state("offline", why="microphone.missing")
    until(driver, lambda: "Is it plugged in?" in driver.execute_script(announced), 3)


@pytest.mark.browser
def test_the_cursor_hides_until_the_mouse_moves(desk: ScriptedDesk, driver: webdriver.Chrome) -> None:
    cursor = "return getComputedStyle(document.getElementById('start')).cursor"
    until(driver, lambda: driver.execute_script(cursor) == "none", 5)
    moved = {"type": "mouseMoved", "x": 50, "y": 60}
    driver.execute_cdp_cmd("Input.dispatchMouseEvent", moved)
    until(driver, lambda: driver.execute_script(cursor) == "pointer", 2)


@pytest.mark.browser
@pytest.mark.skipif(not FOLDER, reason="FRONTDESK_SCREENSHOTS names no folder for them")
def test_pictures_for_the_documents(driver: webdriver.Chrome) -> None:
    for theme in ("light", "dark"):
        with desk_with(KioskConfig(theme=theme)) as desk:
            for name, prepare in PICTURES.items():
                if (name in DARK_PICTURES) != (theme == "dark"):
                    continue
                desk.first = kiosk_message("idle")
                opened(driver, desk)
                if name == "portrait":
                    size(driver, "portrait")
                prepare(desk)
                picture(driver, name)


def picture(driver: webdriver.Chrome, name: str) -> None:
    wide, high = (driver.execute_script(f"return inner{side}") for side in ("Width", "Height"))
    until(driver, lambda: driver.execute_script("return document.getAnimations().every((a) => a.currentTime > 400)"), 5)
    clip = {"x": 0, "y": 0, "width": wide, "height": high, "scale": 800 / max(wide, high)}
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip})
    (Path(FOLDER) / f"kiosk-{name}.png").write_bytes(base64.b64decode(shot["data"]))


def listening(desk: ScriptedDesk) -> None:
    desk.state("listening")
    caption(desk, "agent", "Harbour House, good morning. How can I help you?")
    caption(desk, "caller", "Hello, I have a booking for tonight, where can I leave", turn=2, stable=False, settled=9)
    desk.hum("caller_db", 4)


def thinking(desk: ScriptedDesk) -> None:
    desk.state("thinking")
    caption(desk, "caller", "Hello, I have a booking for tonight, where can I leave my car?", turn=2)
    desk.hum("caller_db", 2)
    desk.hum("agent_db", 1.2)


def speaking(desk: ScriptedDesk) -> None:
    desk.state("speaking")
    caption(desk, "agent", "Cars can stay in the yard behind the house, and in the streets around.", turn=1)
    desk.say(type="heard", call="c1", turn=1, text="Cars can stay in the yard behind the house,")
    caption(desk, "caller", "And is there a lift?", turn=2)
    caption(desk, "agent", "Yes, there is a lift beside the stairs.", turn=2, duration_ms=4500)
    desk.hum("agent_db", 4)


PICTURES: dict[str, Callable[[ScriptedDesk], None]] = {
    "idle-light": lambda desk: desk.state("idle"),
    "idle-dark": lambda desk: desk.state("idle", wake="word"),
    "listening": listening,
    "thinking": thinking,
    "speaking": speaking,
    "trouble": lambda desk: desk.state("trouble"),
    "offline": lambda desk: desk.state("offline", why="microphone.silent"),
    "portrait": speaking,
}
DARK_PICTURES = ("idle-dark", "listening", "portrait")


@pytest.mark.browser
def test_a_logo_that_is_opened_by_itself_runs_nothing(tmp_path: Path, driver: webdriver.Chrome) -> None:
    script = b'<script>document.documentElement.id = "caught"</script></svg>'
    (tmp_path / "logo.svg").write_bytes(SVG.replace(b"</svg>", script))
    with desk_with(KioskConfig(logo=str(tmp_path / "logo.svg"))) as desk:
        driver.get(f"{desk.url}/logo")
        assert driver.execute_script("return document.documentElement.tagName") == "svg"
        assert driver.execute_script("return document.documentElement.id") == ""
        policy = "return fetch('').then((answer) => answer.headers.get('Content-Security-Policy'))"
        driver.get(desk.url)
        assert driver.execute_script(policy.replace("''", "'/kiosk/logo'", 1)) == LOGO_POLICY
