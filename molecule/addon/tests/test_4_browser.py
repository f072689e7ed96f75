"""The pages of the addon, as an administrator sees them. The screenshots are among the artefacts."""

from __future__ import annotations

import hashlib

import pytest
import testinfra
from browser import driver, one, shot, wait
from odoo_host import Person, inside, secret
from selenium.webdriver.common.by import By
from testinfra.host import Host

__all__ = ["driver"]

URL = "http://addon-odoo:8269"
DELETE = """
import json, sys
sys.path.insert(0, "/opt/odoo/addons/s3_attachment")
from engine import sources, store
print(json.dumps(store.ObjectStore(sources.load("/etc/odoo/odoo.conf", {})).delete([json.load(sys.stdin)])))
"""
STATE, SETTINGS = "#s3_attachment_state", "#s3_attachment_settings"


@pytest.fixture(scope="module")
def machine() -> Host:
    return testinfra.get_host("podman://addon-browser")


@pytest.fixture(scope="module")
def settings(driver, user: Person):
    """Log in, and open the General Settings."""
    driver.get(f"{URL}/web/login")
    wait(driver, lambda browser: browser.find_element(By.NAME, "login").is_displayed())
    driver.find_element(By.NAME, "login").send_keys("admin")
    driver.find_element(By.NAME, "password").send_keys(user.password)
    driver.find_element(By.CSS_SELECTOR, "form.oe_login_form button[type=submit]").click()
    wait(driver, one(".o_web_client .o_main_navbar"))
    driver.get(f"{URL}/odoo/settings")
    return wait(driver, one(STATE))[0]


def test_settings(driver, settings):
    driver.execute_script("arguments[0].scrollIntoView()", settings)
    shot(driver, "1-settings")
    assert "bucket odoo at http://127.0.0.1:9100" in settings.text
    table = driver.find_element(By.CSS_SELECTOR, SETTINGS).text
    assert "the environment" in table and "/etc/odoo/s3_attachment.conf" in table
    assert "********" in table and secret("secret_key") not in driver.page_source


def test_connection(driver, settings):
    driver.find_element(By.CSS_SELECTOR, f"{STATE} button[name=action_s3_attachment_test]").click()
    # Odoo may have notifications of its own.
    wait(driver, lambda browser: any("The object store answers" in told.text for told in browser.find_elements(By.CSS_SELECTOR, ".o_notification")))
    shot(driver, "2-connection")


def test_audit(driver, settings, user: Person):
    """A person sees that an object is missing, and has it brought back."""
    content = b"deleted by mistake"
    attachment = user.upload("lost.bin", content)["id"]
    sha1 = hashlib.sha1(content).hexdigest()
    assert inside(DELETE, f"{sha1[:2]}/{sha1}", "--user", "odoo") == {}
    assert user.download(f"/web/content/{attachment}")["status"] == 500

    def finding(kind: str):
        # Many may be listed if the tests before this one have left some.
        return lambda browser: [row for row in browser.find_elements(By.CSS_SELECTOR, ".o_data_row") if kind in row.text and sha1 in row.text]

    driver.find_element(By.CSS_SELECTOR, f"{STATE} button[name=action_s3_attachment_audit]").click()
    wait(driver, finding("Missing"))
    shot(driver, "3-audit")
    driver.find_element(By.CSS_SELECTOR, "button[name=action_repair]").click()
    wait(driver, one(".modal-footer .btn-primary"))[0].click()
    wait(driver, finding("Repaired"))
    shot(driver, "4-repair")
    assert user.download(f"/web/content/{attachment}")["sha1"] == sha1
    driver.get(f"{URL}/odoo/action-s3_attachment.s3_audit_finding_action")
    wait(driver, one(".o_group_header"))
    shot(driver, "5-findings")


def test_attachment(driver, settings, user: Person):
    attachment = user.upload("shown.bin", b"shown to the administrator")["id"]
    driver.get(f"{URL}/odoo/action-base.action_attachment/{attachment}")
    wait(driver, lambda browser: "STANDARD" in browser.find_element(By.TAG_NAME, "body").text)
    shot(driver, "6-attachment")
