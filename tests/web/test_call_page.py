"""The call page in a real browser, with a microphone that asks a question."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from appliance.bench.device import Device
from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile

pytestmark = [pytest.mark.browser, pytest.mark.model]

GREETING_S = 8.0
"""The microphone is silent for longer than the greeting takes."""
AFTER_S = 20.0
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
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


@contextmanager
def browser(*flags: str) -> Iterator[webdriver.Chrome]:
    """A Chromium with a profile of its own, gone afterwards."""
    profile = tempfile.mkdtemp(prefix="frontdesk-chromium-")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={profile}", *flags):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


def until(driver: webdriver.Chrome, condition: Callable[[], Any], within_s: float) -> Any:
    return WebDriverWait(driver, within_s, poll_frequency=0.1).until(lambda _: condition())


def press(driver: webdriver.Chrome, name: str) -> None:
    driver.find_element(By.ID, name).click()


def body(driver: webdriver.Chrome, key: str) -> str:
    return str(driver.execute_script("return document.body.dataset[arguments[0]] || ''", key))


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

        def captions(selector: str) -> str:
            return " ".join(
                e.get_attribute("textContent") or "" for e in driver.find_elements(By.CSS_SELECTOR, selector)
            )

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
