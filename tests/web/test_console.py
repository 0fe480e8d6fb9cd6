"""The owner's console in a real browser, beside a real call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By

from appliance.app.places import state_dir
from appliance.bench.caller import Caller
from appliance.bench.device import Device
from appliance.bench.utterances import Utterance
from appliance.web.owner import token
from tests.web.chromium import body, browser, until

pytestmark = [pytest.mark.browser, pytest.mark.model]


def frontdesk(device: Device, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "FRONTDESK_HTTP__PORT": str(urlsplit(device.url).port)}
    command = [sys.executable, "-m", "appliance.app.cli", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


async def called(device: Device, question: Utterance) -> str:
    """The id of a call in which that was asked."""
    caller = Caller(device.url)
    await caller.connect()
    try:
        await caller.hear_greeting()
        asked = await caller.ask(question)
    finally:
        await caller.close()
    return str(asked.turn["call"])


async def test_a_call_is_shown_turn_by_turn(device: Device, utterances: dict[str, Utterance]) -> None:
    call = await called(device, utterances["parking"])
    address = frontdesk(device, "console").stdout.strip()
    assert address.startswith(f"{device.url}console#key=")
    with browser() as driver:
        driver.get(address)
        until(driver, lambda: body(driver, "phase") == "calls", 10)
        assert driver.current_url == f"{device.url}console", "the key does not stay in the address"
        row = f'[data-call="{call}"]'
        until(driver, lambda: driver.find_elements(By.CSS_SELECTOR, row), 10)
        driver.find_element(By.CSS_SELECTOR, row).click()
        until(driver, lambda: driver.find_elements(By.CSS_SELECTOR, "#turns turn-bars .bar.waited"), 10)
        article = driver.find_element(By.ID, "call").text
        assert "Where can I park my car?" in article
        assert "yard" in article
        driver.find_element(By.ID, "lock").click()
        until(driver, lambda: body(driver, "phase") == "locked", 10)
        assert call not in driver.page_source
        driver.get(f"{device.url}console")
        until(driver, lambda: body(driver, "phase") == "locked", 10)
        driver.find_element(By.ID, "key").send_keys("not the key\n")
        until(driver, lambda: driver.find_element(By.ID, "refused").is_displayed(), 10)
        driver.find_element(By.ID, "key").clear()
        driver.find_element(By.ID, "key").send_keys(f"{token(state_dir(os.environ))}\n")
        until(driver, lambda: body(driver, "phase") == "calls", 10)


async def test_the_same_on_the_command_line(device: Device, utterances: dict[str, Utterance]) -> None:
    call = await called(device, utterances["wifi"])
    listed = frontdesk(device, "calls", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    newest = json.loads(listed.stdout.splitlines()[-1])["calls"][0]
    assert (newest["call"], newest["turns"]) == (call, 1)
    shown = frontdesk(device, "calls", "show", call, "--json")
    (turn,) = json.loads(shown.stdout.splitlines()[-1])["turn_events"]
    assert "blue seagull" in turn["reply"].lower()
    assert "heard:  What is the Wifi password?" in shown.stdout, "as the owner spells it"
    unknown = frontdesk(device, "calls", "show", "no/such call")
    assert (unknown.returncode, "There is no such call" in unknown.stderr) == (1, True)


def test_a_device_that_does_not_run_is_named(device: Device) -> None:
    environ = {**os.environ, "FRONTDESK_HTTP__PORT": "9"}
    command = [sys.executable, "-m", "appliance.app.cli", "calls", "list"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "http://127.0.0.1:9/ does not answer" in done.stderr
    assert "Traceback" not in done.stderr
