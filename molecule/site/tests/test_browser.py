"""What a person sees in a browser: log in, attach files to a contact, look at them, download one, compare."""

from __future__ import annotations

import json
import os
import sys
import typing as t
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

sys.path.insert(0, str(Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]).parent / "shared"))

from browser import driver, one, shot, wait

__all__ = ["driver"]

URL = "https://odoo.site.test"

# Runs in the browser's host: a text of 3 MiB, and a picture that is too large for the browser to get it from Odoo itself.
MAKE_FILES = """
import hashlib, os, shutil, struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
side = 800
rows = b"".join(b"\\0" + os.urandom(side * 3) for row in range(side))
size = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
picture = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
shutil.rmtree("/root/downloads", ignore_errors=True)
for name, content in (("report.bin", os.urandom(3 << 20)), ("picture.png", picture)):
    with open("/root/" + name, "wb") as file:
        file.write(content)
    print(hashlib.sha1(content).hexdigest())
"""


@pytest.fixture(scope="module")
def machine(on):
    host = on("site-browser")
    # The root that Pebble made at its start: the browser trusts it as it trusts Let's Encrypt's.
    host.check_output(
        'python3 -c "import ssl, urllib.request as u; '
        "print(u.urlopen('https://site-acme:15000/roots/0', context=ssl._create_unverified_context()).read().decode())\" >/root/root.pem"
    )
    host.check_output("certutil -A -d sql:/root/.pki/nssdb -n pebble -t C,, -i /root/root.pem && systemctl restart chromedriver")
    return host


@pytest.fixture(scope="module")
def files(machine):
    report, picture = machine.check_output("python3 -c %s", MAKE_FILES).split()
    return {"report.bin": report, "picture.png": picture}


def call(driver: WebDriver, model: str, method: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
    """Call Odoo from the page, with the person's own session."""
    script = """
        const [model, method, args, kwargs, done] = arguments;
        fetch(`/web/dataset/call_kw/${model}/${method}`, {method: "POST", headers: {"Content-Type": "application/json"},
            body: JSON.stringify({jsonrpc: "2.0", method: "call", params: {model, method, args, kwargs}})})
            .then(answer => answer.json()).then(answer => done(JSON.stringify(answer)));
    """
    answer = json.loads(driver.execute_async_script(script, model, method, list(args), kwargs))
    assert "error" not in answer, answer
    return answer["result"]


@pytest.fixture(scope="module")
def contact(driver, secrets):
    """Log in, and open the form of a new contact."""
    driver.get(f"{URL}/web/login")
    # Odoo's script shows the form after it has looked whether somebody was here before.
    wait(driver, lambda browser: browser.find_element(By.NAME, "login").is_displayed())
    shot(driver, "1-login")
    driver.find_element(By.NAME, "login").send_keys("admin")
    driver.find_element(By.NAME, "password").send_keys(secrets["stack_odoo_admin_password"])
    driver.find_element(By.CSS_SELECTOR, "form.oe_login_form button[type=submit]").click()
    wait(driver, one(".o_web_client .o_main_navbar"))
    identifier = call(driver, "res.partner", "create", [{"name": "Ada Lovelace"}])[0]
    driver.get(f"{URL}/odoo/contacts/{identifier}")
    wait(driver, one(".o-mail-Chatter"))
    shot(driver, "2-contact")
    return identifier


@pytest.fixture(scope="module")
def attached(driver, contact, files):
    """Attach both files in the chatter, as a person does."""
    for count, name in enumerate(files, 1):
        wait(driver, one(".o-mail-Chatter-attachFiles"))[0].click() if not one(".o-mail-Chatter input[type=file]")(driver) else None
        wait(driver, one(".o-mail-Chatter input[type=file]"))[0].send_keys(f"/root/{name}")
        wait(driver, lambda d, wanted=count: len(call(d, "ir.attachment", "search", [["res_model", "=", "res.partner"], ["res_id", "=", contact]])) == wanted)
    wait(driver, one(".o-mail-AttachmentCard, .o-mail-AttachmentImage, .o-mail-AttachmentContainer"))
    shot(driver, "3-attached")
    return {
        record["name"]: record
        for record in call(
            driver, "ir.attachment", "search_read", [["res_model", "=", "res.partner"], ["res_id", "=", contact]], ["name", "checksum", "store_fname"]
        )
    }


def test_rows_have_the_right_checksums(attached, files):
    assert {name: record["checksum"] for name, record in attached.items()} == files


def test_objects_are_in_the_bucket_and_not_on_the_app_host(attached, files, on):
    for digest in files.values():
        name = f"{digest[:2]}/{digest}"
        # MinIO keeps an object as a folder of its key, on each drive.
        assert on("site-s3").run(f"find / -xdev -type d -path '*/site-filestore/{name}' | grep .").rc == 0
        assert on("site-app").run(f"find / -xdev -type f -path '*/filestore/odoo/{name}' | grep .").rc == 1


def test_download_by_the_browser_is_equal(driver, attached, files, machine):
    driver.execute_script("window.location = arguments[0]", f"{URL}/web/content/{attached['report.bin']['id']}?download=true")
    wait(driver, lambda _driver: machine.run("test -s /root/downloads/report.bin && ! ls /root/downloads/*.crdownload").rc == 0)
    assert machine.check_output("sha1sum /root/downloads/report.bin").split()[0] == files["report.bin"]


def test_a_picture_is_shown_from_the_object_store(driver, attached):
    """An image of the page, redirected to the store's own name, under Odoo's content security policy."""
    shown = driver.execute_async_script(
        """
        const [source, done] = arguments;
        const image = new Image();
        image.onload = () => done([image.naturalWidth, performance.getEntriesByName(image.src).length]);
        image.onerror = () => done(["blocked"]);
        image.src = source;
        document.querySelector(".o-mail-Chatter, body").prepend(image);
        """,
        f"{URL}/web/image/{attached['picture.png']['id']}",
    )
    shot(driver, "4-picture")
    assert shown[0] == 800


def test_the_browser_complained_of_nothing(driver, attached):
    log = [entry["message"] for entry in driver.execute("getLog", {"type": "browser"})["value"]]
    assert not [line for line in log if "Content Security Policy" in line or "Mixed Content" in line or "insecure" in line], log
