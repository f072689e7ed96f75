# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuild a source tree of Odoo from Debian's package: what tools/odoo-source runs in a container of Debian 13.

    python3 odoo_source.py VERSION OUT

Leaves OUT/tree (the layout of Odoo's repository) and OUT/odoo-*.deb.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# What demo and tests install, or may install. What these depend on comes along, and so does what Odoo installs
# by itself when all that it depends on is there.
MODULES = ["base", "web", "contacts", "base_import", "portal", "auth_signup", "auth_totp", "auth_password_policy", "attachment_indexation", "test_http"]
# Translations are three quarters of the whole: these, and the templates (.pot), are kept.
LANGUAGES = ["ar", "de", "es", "fr", "it", "nl", "pt_BR"]
# Debian's package links to files of these packages.
LINKED_PACKAGES = ["fonts-font-awesome", "fonts-montserrat", "fonts-roboto-unhinted", "libjs-jquery", "libjs-jquery-form", "libjs-underscore"]

# The package brings no requirements.txt. These versions work with the release on the named Python, and are about
# as old as what the release itself asks for, so that the same build problems have to be solved.
# name: (Python before 3.12, Python from 3.12 on)
REQUIREMENTS = {
    "asn1crypto": ("1.5.1", "1.5.1"),
    "Babel": ("2.10.3", "2.17.0"),
    "cbor2": ("5.4.2", "5.6.5"),
    "chardet": ("4.0.0", "5.2.0"),
    "cryptography": ("3.4.8", "43.0.3"),
    "docutils": ("0.17.1", "0.21.2"),
    "freezegun": ("1.2.1", "1.5.1"),
    "geoip2": ("2.9.0", "4.8.1"),
    "gevent": ("22.10.2", "24.11.1"),
    "greenlet": ("2.0.2", "3.1.1"),
    "idna": ("2.10", "3.10"),
    "Jinja2": ("3.1.2", "3.1.5"),
    "libsass": ("0.22.0", "0.23.0"),
    "lxml": ("4.9.3", "5.3.0"),
    "lxml-html-clean": (None, "0.4.1"),
    "MarkupSafe": ("2.1.2", "2.1.5"),
    "num2words": ("0.5.10", "0.5.14"),
    "ofxparse": ("0.21", "0.21"),
    "openpyxl": ("3.0.9", "3.1.5"),
    "passlib": ("1.7.4", "1.7.4"),
    "Pillow": ("9.4.0", "11.1.0"),
    "polib": ("1.1.1", "1.2.0"),
    "psutil": ("5.9.4", "6.1.1"),
    "psycopg2": ("2.9.5", "2.9.10"),
    "pyOpenSSL": ("21.0.0", "24.3.0"),
    "PyPDF2": ("2.12.1", "3.0.1"),
    "pyserial": ("3.5", "3.5"),
    "python-dateutil": ("2.8.2", "2.9.0.post0"),
    "python-ldap": ("3.4.0", "3.4.4"),
    "python-magic": ("0.4.27", "0.4.27"),
    "python-stdnum": ("1.17", "1.20"),
    "pytz": ("2023.3", "2025.1"),
    "pyusb": ("1.2.1", "1.3.1"),
    "qrcode": ("7.3.1", "8.0"),
    "reportlab": ("3.6.12", "4.2.5"),
    "requests": ("2.25.1", "2.32.3"),
    "rjsmin": ("1.1.0", "1.2.2"),
    "urllib3": ("1.26.5", "2.3.0"),
    "vobject": ("0.9.6.1", "0.9.9"),
    "Werkzeug": ("2.2.2", "3.0.6"),
    "xlrd": ("2.0.1", "2.0.1"),
    "XlsxWriter": ("3.0.2", "3.2.2"),
    "xlwt": ("1.3.0", "1.3.0"),
    "zeep": ("4.1.0", "4.3.1"),
}

LAUNCHER = """#!/usr/bin/env python3

import odoo.cli

if __name__ == "__main__":
    odoo.cli.main()
"""

SITE = Path("usr/lib/python3/dist-packages")


def say(text: str) -> None:
    print(f"odoo-source: {text}", file=sys.stderr, flush=True)


def run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"odoo-source: {' '.join(command)} failed:\n{done.stdout[-2000:]}")


def fetch(version: str, out: Path) -> Path:
    """Download the package (unless it lies in `out`) and what it links to; return the package's path."""
    mirror = os.environ["DEBIAN_MIRROR"]
    # Only sid has the package; its priority keeps all else at Debian 13. A mirror that lags behind is still signed.
    Path("/etc/apt/sources.list.d/sid.list").write_text(f"deb [check-valid-until=no] {mirror} sid main\n", encoding="utf-8")
    Path("/etc/apt/preferences.d/sid").write_text("Package: *\nPin: release n=sid\nPin-Priority: 50\n", encoding="utf-8")
    say("asking Debian's mirror for its packages")
    run("apt-get", "update", "-qq")
    name = f"odoo-{version.split('.', maxsplit=1)[0]}"
    wanted = list(LINKED_PACKAGES)
    if not list(out.glob(f"{name}_*.deb")):
        wanted.append(f"{name}/sid")
    say(f"downloading {' '.join(wanted)} (130 MB)")
    run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *wanted, cwd=out)
    return next(out.glob(f"{name}_*.deb"))


def unpack(package: Path, to: Path, *patterns: str) -> None:
    """Unpack the files of a package that match one of the patterns of tar (all: './*')."""
    to.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as contents:
        tar = ["tar", "--extract", "--no-same-owner", "--wildcards", f"--directory={to}", "--file=-", *patterns]
        subprocess.run(tar, check=True, stdin=contents.stdout)


def closure(manifests: dict[str, dict], wanted: list[str]) -> set[str]:
    """The modules wanted, what they depend on, and what installs itself when its triggers are all there."""
    chosen: set[str] = set()
    queue = list(wanted)
    while queue:
        while queue:
            name = queue.pop()
            if name not in chosen:
                chosen.add(name)
                queue += manifests[name].get("depends") or ([] if name == "base" else ["base"])
        for name, manifest in manifests.items():
            auto = manifest.get("auto_install", False)
            triggers = (manifest.get("depends") or []) if auto is True else auto or []
            # A localisation installs itself only for its country.
            if auto and name not in chosen and not manifest.get("countries") and chosen.issuperset(triggers):
                queue.append(name)
    return chosen


def no_dangling_links(tree: Path, root: Path) -> None:
    """Put the file itself where Debian's package has a link to another package."""
    for link in [path for path in tree.rglob("*") if path.is_symlink()]:
        target = root / str(link.readlink()).split("../")[-1].replace("share/", "usr/share/", 1)
        # Debian's links for these two point to each other's file.
        if link.suffix in (".woff", ".woff2") and target.with_suffix(link.suffix).exists():
            target = target.with_suffix(link.suffix)
        link.unlink()
        shutil.copyfile(target, link)


def no_missing_files(module: Path) -> None:
    """Take the line out of mail's manifest that names a file which Debian removed."""
    manifest = module / "__manifest__.py"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(re.sub(r"^.*selfie_segmentation\.js.*\n", "", text, flags=re.MULTILINE), encoding="utf-8")


def categories(manifest: dict) -> set[str]:
    """The names under which Odoo's data finds the categories that it makes of a manifest's one."""
    path = manifest.get("category", "Uncategorized").split("/")
    return {"module_category_" + "_".join(path[: depth + 1]).lower().replace("&", "and").replace(" ", "_") for depth in range(len(path))}


def no_missing_categories(tree: Path, manifests: dict[str, dict], chosen: set[str]) -> None:
    """Have a manifest, which nobody can install, for each category that base speaks of and no chosen module has."""
    data = "\n".join(path.read_text(encoding="utf-8") for path in (tree / "odoo/addons/base").glob("*/*.xml"))
    needed = set(re.findall(r"base\.(module_category_\w+)", data)) - set(re.findall(r'id="(?:base\.)?(module_category_\w+)"', data))
    needed -= set().union(*(categories(manifests[name]) for name in chosen))
    for category in sorted(needed):
        name = min((name for name, manifest in manifests.items() if category in categories(manifest)), default=None)
        if name is None:
            continue
        stub = tree / "addons" / name
        stub.mkdir(exist_ok=True)
        (stub / "__init__.py").touch()
        keys = {key: manifests[name][key] for key in ("name", "category", "author", "license") if key in manifests[name]}
        (stub / "__manifest__.py").write_text(repr(keys | {"installable": False}) + "\n", encoding="utf-8")


def requirements() -> str:
    lines = []
    for name, (old, new) in REQUIREMENTS.items():
        if old == new:
            lines.append(f"{name}=={old}")
            continue
        if old:
            lines.append(f"{name}=={old} ; python_version < '3.12'")
        if new:
            lines.append(f"{name}=={new} ; python_version >= '3.12'")
    return "\n".join(lines) + "\n"


def main() -> None:
    version, out = sys.argv[1], Path(sys.argv[2])
    package = fetch(version, out)
    root = Path(tempfile.mkdtemp(dir="/var/tmp"))
    say("reading the manifests of its modules")
    unpack(package, root, "*/__manifest__.py")
    addons = root / SITE / "odoo/addons"
    manifests = {path.parent.name: ast.literal_eval(path.read_text(encoding="utf-8")) for path in addons.glob("*/__manifest__.py")}
    chosen = closure(manifests, MODULES)
    # The stray copy of addons/ in the package tells which modules lie in addons/ and which in odoo/addons/.
    in_addons = {path.parent.name for path in (root / SITE / "addons").glob("*/__manifest__.py")}

    say(f"unpacking {len(chosen)} of {len(manifests)} modules")
    shutil.rmtree(root)
    kept = ["_monkeypatches", "api", "cli", "fields", "models", "modules", "orm", "osv", "service", "tests", "tools", "upgrade", "upgrade_code"]
    patterns = [f"./{SITE}/odoo/{name}/*" for name in kept] + [f"./{SITE}/odoo/addons/{name}/*" for name in chosen]
    unpack(package, root, "--no-wildcards-match-slash", f"./{SITE}/odoo/*.*", "--wildcards-match-slash", *patterns)
    for linked in out.glob("*.deb"):
        if linked != package:
            unpack(linked, root, "./*")
            linked.unlink()

    tree = out / "tree"
    (tree / "addons").mkdir(parents=True)
    shutil.move(root / SITE / "odoo", tree / "odoo")
    no_dangling_links(tree, root)
    for name in chosen & in_addons:
        shutil.move(tree / "odoo/addons" / name, tree / "addons" / name)
    no_missing_files(tree / "addons/mail")
    no_missing_categories(tree, manifests, chosen)
    for catalogue in tree.rglob("i18n*/*.po"):
        if catalogue.stem not in LANGUAGES:
            catalogue.unlink()
    (tree / "odoo-bin").write_text(LAUNCHER, encoding="utf-8")
    (tree / "odoo-bin").chmod(0o755)
    (tree / "requirements.txt").write_text(requirements(), encoding="utf-8")


if __name__ == "__main__":
    main()
