"""A browser that a scenario's tests drive: image `browser`, reached by the fixture `machine`, which the tests have."""

from __future__ import annotations

import os
import time
import typing as t

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

ARTIFACTS = os.environ["ARTIFACTS"]
SCENARIO = os.environ["MOLECULE_SCENARIO_NAME"]


@pytest.fixture(scope="module")
def driver(machine):
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1000", "--disable-background-networking"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": "/root/downloads", "download.prompt_for_download": False})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    address = machine.check_output("hostname -I").split()[0]
    for _attempt in range(50):
        if machine.run("ss -Hltn sport = :9515").stdout:
            break
        time.sleep(0.2)
    browser = webdriver.Remote(f"http://{address}:9515", options=options)
    yield browser
    browser.quit()


def wait(driver: WebDriver, what: t.Callable[[WebDriver], t.Any], seconds: int = 60) -> t.Any:
    try:
        return WebDriverWait(driver, seconds).until(what)
    except Exception:
        driver.save_screenshot(f"{ARTIFACTS}/{SCENARIO}-failed.png")
        raise


def one(css: str) -> t.Callable[[WebDriver], t.Any]:
    return lambda driver: driver.find_elements(By.CSS_SELECTOR, css)


def shot(driver: WebDriver, name: str) -> None:
    time.sleep(0.5)
    assert driver.save_screenshot(f"{ARTIFACTS}/{SCENARIO}-{name}.png")
