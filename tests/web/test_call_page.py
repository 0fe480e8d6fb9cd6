"""The call page in a real browser, with a microphone that asks a question."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.by import By

from appliance.bench.device import Device, running
from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.flow.phrases import BACK
from tests.web.chromium import body, browser, press, until

pytestmark = [pytest.mark.browser, pytest.mark.model]

GREETING_S = 8.0
"""The microphone is silent for longer than the greeting takes."""
AFTER_S = 20.0
LISTEN = """
const voice = document.querySelector('audio#voice');
const context = new AudioContext({sampleRate: 48000});
const code = `registerProcessor('meter', class extends AudioWorkletProcessor {
  process(inputs) {
    let sum = 0;
    const samples = inputs[0][0] || [];
    for (const s of samples) sum += s * s;
    this.port.postMessage(samples.length ? Math.sqrt(sum / samples.length) : 0);
    return true;
  }
})`;
window.heard = [];
const done = arguments[arguments.length - 1];
context.audioWorklet.addModule('data:text/javascript,' + encodeURIComponent(code)).then(() => {
  const meter = new AudioWorkletNode(context, 'meter');
  meter.port.onmessage = (event) => window.heard.push([performance.now(), event.data]);
  context.createMediaStreamSource(voice.srcObject).connect(meter);
  meter.connect(context.destination);
  done('listening');
}, (error) => done(String(error)));
"""


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory, utterances: dict[str, Utterance]) -> Path:
    """A microphone's recording: silence, "What is the wifi password?", silence."""
    asked = soundfile.read(utterances["wifi"].file, rate=48_000)
    pcm = np.concatenate(
        [np.zeros(int(48_000 * GREETING_S), np.int16), asked, np.zeros(int(48_000 * AFTER_S), np.int16)]
    )
    path = tmp_path_factory.mktemp("microphone") / "question.wav"
    soundfile.write(path, pcm, 48_000)
    return path


def test_a_question_asked_aloud_is_captioned_and_answered_aloud(device: Device, question: Path) -> None:
    microphone = f"--use-file-for-fake-audio-capture={question}%noloop"
    with browser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", microphone) as driver:
        # The page's own policy forbids the meter's inline module: a test may listen in spite of that.
        driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        driver.get(device.url)
        assert driver.find_element(By.ID, "business").text == "Harbour House"
        press(driver, "start")
        until(driver, lambda: body(driver, "phase") == "call", 20)
        until(driver, lambda: driver.execute_script("return !!document.querySelector('audio#voice').srcObject"), 10)
        driver.set_script_timeout(10)
        listening = driver.execute_async_script(LISTEN)
        assert listening == "listening"

        def captions(selector: str) -> str:  # in one step: captions are replaced while they grow
            texts = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent).join(' ')"
            return str(driver.execute_script(texts, selector))

        until(driver, lambda: "password" in captions("#captions .said .words").lower(), 30)
        began = driver.execute_script("return performance.now()")
        until(driver, lambda: "blue seagull" in captions("#captions .reply .words").lower(), 20)
        loud = "return window.heard.filter(([at, level]) => at > arguments[0] && level > 0.01).length"
        until(driver, lambda: driver.execute_script(loud, began) > 100, 10)
        until(driver, lambda: driver.find_elements(By.CSS_SELECTOR, "details.turn-figures"), 20)
        press(driver, "hangup")
        until(driver, lambda: body(driver, "phase") == "ended", 5)


def test_a_refused_microphone_is_explained(device: Device) -> None:
    with browser("--use-fake-device-for-media-stream", "--deny-permission-prompts") as driver:
        driver.get(device.url)
        press(driver, "start")
        until(driver, lambda: body(driver, "phase") == "problem", 10)
        assert body(driver, "problem") == "refused"
        assert (
            "microphone"
            in driver.find_element(By.ID, "problem-why").text.lower()
            + driver.find_element(By.ID, "problem-title").text.lower()
        )


def test_a_line_that_breaks_is_made_anew_and_the_call_goes_on(device: Device) -> None:
    with browser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as driver:
        driver.get(device.url)
        press(driver, "start")
        until(driver, lambda: body(driver, "phase") == "call", 20)
        call = body(driver, "call")

        notice = driver.find_element(By.ID, "notice")
        os.kill(device.pid, signal.SIGSTOP)  # to the browser, a network that carries nothing any more
        try:
            until(driver, lambda: "Calling again" in notice.text, 30)
            assert body(driver, "state") == "trouble"
        finally:
            os.kill(device.pid, signal.SIGCONT)
        until(driver, lambda: notice.text == "", 30)
        assert body(driver, "phase") == "call"
        assert body(driver, "call") == call
        said = driver.find_element(By.ID, "captions")
        until(driver, lambda: BACK in (said.get_attribute("textContent") or ""), 10)
        press(driver, "hangup")
        until(driver, lambda: body(driver, "phase") == "ended", 5)


def test_on_a_phone_everything_fits_and_can_be_touched(device: Device) -> None:
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with browser(*fake, phone=True) as driver:
        driver.get(device.url)
        for name, phase in (("start", "call"), ("hangup", "ended")):
            box = driver.find_element(By.ID, name).rect
            assert box["height"] >= 44
            assert box["width"] >= 44
            wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert driver.execute_script(wide) <= 0
            press(driver, name)
            until(driver, lambda phase=phase: body(driver, "phase") == phase, 20)  # type: ignore[misc]


async def test_on_the_network_the_page_explains_the_warning_and_then_calls(tmp_path: Path) -> None:
    """The device's own certificate; a browser that does not trust it yet, and one that does."""
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    secure = {"FRONTDESK_HTTP__TLS": "self", "FRONTDESK_HTTP__WELCOME_PORT": "0", "XDG_STATE_HOME": str(tmp_path)}
    async with running(secure) as device:
        assert device.url.startswith("https://")
        with browser(*fake) as driver:
            driver.get(device.welcome)
            until(driver, lambda: body(driver, "phase") == "untrusted", 10)
            assert driver.find_element(By.ID, "go").get_attribute("href") == device.url
        with browser(*fake, "--ignore-certificate-errors") as driver:
            driver.get(device.welcome)
            until(driver, lambda: driver.current_url == device.url, 10)
            press(driver, "start")
            until(driver, lambda: body(driver, "phase") == "call", 20)
            press(driver, "hangup")


def test_the_quality_of_the_line_is_shown_with_its_figures(device: Device) -> None:
    with browser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", phone=True) as driver:
        driver.get(device.url)
        press(driver, "start")
        until(driver, lambda: driver.find_element(By.ID, "quality").is_displayed(), 20)
        quality = driver.find_element(By.ID, "quality")
        assert quality.get_attribute("data-bars") == "4"
        assert quality.text == "Good line"
        quality.find_element(By.TAG_NAME, "summary").click()
        until(driver, lambda: "host/" in quality.text, 5)

        def figures() -> dict[str, str]:
            lines = quality.text.splitlines()[1:]
            return dict(zip(lines[::2], lines[1::2], strict=False))

        until(driver, lambda: figures()["There and back"].endswith(" ms"), 10)  # once both ends have reported
        assert figures()["Lost on the way there"] == "0.0 %"
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        press(driver, "hangup")
        until(driver, lambda: not quality.is_displayed(), 5)
