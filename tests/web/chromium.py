"""A real browser, headless, and what the tests of the pages do with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

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


@contextmanager
def browser(*flags: str, phone: bool = False) -> Iterator[webdriver.Chrome]:
    """A Chromium with a profile of its own, gone afterwards."""
    profile = tempfile.mkdtemp(prefix="frontdesk-chromium-")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "/usr/bin/chromium"
    if phone:
        metrics = {"width": 360, "height": 740, "pixelRatio": 3.0, "touch": True, "mobile": True}
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
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
