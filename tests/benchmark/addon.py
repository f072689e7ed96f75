# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time attachments: Odoo's local filestore, the addon s3_attachment, and OCA's fs_attachment_s3, side by side.

    make bench-addon
    make bench-addon ARGUMENTS='--rounds 5 --largest 100'

It runs in the container of the scenario bench_addon, in Odoo's interpreter. Three servers of the same Odoo run at once, each with
a database of its own that was copied from the same one, with the same two workers. In each round they take turns, in
reversed order in every second one. All contents are random and new, so that nothing is there already; what was read in
a round before is read again only where the line says warm. Cold means that our cache was emptied; the page cache of the
system is warm for all of them, and the store is on the same host, which hides what a network would cost.
"""

from __future__ import annotations

import argparse
import base64
import concurrent.futures
import configparser
import contextlib
import datetime
import io
import json
import os
import pathlib
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import threading
import time
import typing as t

import requests
from PIL import Image

PYTHON = "/opt/odoo/venv/bin/python"
ADDON = "/opt/odoo/addons/s3_attachment"
PEER = pathlib.Path("/opt/bench")
PEER_PACKAGES = ["odoo-addon-fs_attachment_s3", "odoo-addon-fs_attachment", "odoo-addon-fs_storage"]
# A prefix of its own, because the other one belongs to the database that this one was copied from.
SETTINGS = {"ODOO_S3_CACHE_MAX_BYTES": str(1024**3), "ODOO_S3_PREFIX": "test/bench/"}
KB, MB = 1000, 1000 * 1000
BROWSER = 6  # connections that a browser opens to one host


class Contestant(t.NamedTuple):
    name: str
    database: str
    port: int
    module: str = ""
    addons: str = ""
    environment: t.Mapping[str, str] = {}

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"


LOCAL = Contestant("local filestore", "bench_local", 8169)
OURS = Contestant("s3_attachment", "bench_ours", 8269, "s3_attachment", environment=SETTINGS)
OCA = Contestant("fs_attachment_s3", "bench_oca", 8369, "fs_attachment_s3", f",{PEER}/addons", {"PYTHONPATH": f"{PEER}/packages"})


def as_odoo(command: list[str], environment: t.Mapping[str, str]) -> list[str]:
    settings = [f"{name}={value}" for name, value in {"PYTHONDONTWRITEBYTECODE": "1", **environment}.items()]
    return ["runuser", "-u", "odoo", "--", "env", *settings, *command]


def run(command: list[str], said: str = "", **options: t.Any) -> str:
    """Run a program to its end; end the benchmark with its words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        sys.exit(f"{said or ' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def odoo(who: Contestant, *options: str) -> list[str]:
    addons = re.search(r"(?m)^addons_path\s*=\s*(.*)$", pathlib.Path("/etc/odoo/odoo.conf").read_text())
    assert addons, "odoo.conf has no addons_path"
    ports = [f"--http-port={who.port}", f"--gevent-port={who.port + 3}", "--http-interface=127.0.0.1"]
    command = [PYTHON, "/opt/odoo/src/odoo-bin", "-c", "/etc/odoo/odoo.conf", f"--addons-path={addons[1].strip()}{who.addons}"]
    command += [*ports, "--logfile=", "--log-level=warn", f"--database={who.database}", f"--db-filter=^{who.database}$", "--max-cron-threads=0"]
    return as_odoo([*command, *options], who.environment)


# -- what takes part ----------------------------------------------------------------------------------------------------


def install_peer() -> str:
    """Get the peer's packages into a directory of their own: its libraries contradict ours. Gives its version."""
    if not (PEER / "packages").exists():
        packages = PEER / "packages"
        pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(packages)]
        run([*pip, "--no-deps", *(f"{name}==19.0.*" for name in PEER_PACKAGES)])
        shutil.copytree(packages / "odoo/addons", PEER / "addons")
        # It would be in the place of Odoo itself.
        shutil.rmtree(packages / "odoo")
        subprocess.run([*pip, "fsspec[s3]", "python-slugify", "urllib3<2", "idna<3"], check=True, capture_output=True)
    (version,) = (path.name for path in (PEER / "packages").glob("odoo_addon_fs_attachment_s3-*.dist-info"))
    return version.split("-")[1].removesuffix(".dist")


SET_UP_PEER = """
storage = env["fs.storage"].search([("code", "=", "s3")]) or env["fs.storage"].create({{"name": "S3", "code": "s3", "protocol": "s3"}})
# Ours keeps none in the database either; by default small pictures and scripts would stay there.
storage.write({{
    "directory_path": "plain/bench", "options": {settings}, "use_as_default_for_attachments": True, "force_db_for_default_attachment_rules": "{{}}",
}})
env.cr.commit()
"""


def set_up(who: Contestant) -> None:
    """Install the contestant's addon in its database, with the store of this host."""
    sql(who, "UPDATE res_users SET password = 'bench' WHERE login = 'admin'")
    if who.module:
        run(odoo(who, "--workers=0", f"--init={who.module}", "--stop-after-init"))
    if who is OCA:
        parser = configparser.RawConfigParser()
        parser.read("/etc/odoo/s3_attachment.conf")
        ours = parser["s3_attachment"]
        options = {"endpoint_url": ours["endpoint_url"], "key": ours["access_key"], "secret": ours["secret_key"]}
        command = odoo(who)
        command.insert(command.index("/opt/odoo/src/odoo-bin") + 1, "shell")
        script = SET_UP_PEER.format(settings=repr(json.dumps(options)))
        said = run([*command, "--no-http"], input=script)
        if "Traceback" in said:
            sys.exit(said)


def sql(who: Contestant, query: str) -> str:
    return run(["runuser", "-u", "postgres", "--", "psql", "-qAt", "-c", query, who.database], cwd="/").strip()


@contextlib.contextmanager
def server(who: Contestant) -> t.Iterator[None]:
    with open(f"/tmp/{who.database}.log", "wb") as log:
        running = subprocess.Popen(odoo(who, "--workers=2", "--limit-time-real=600", "--limit-time-cpu=600"), stdout=log, stderr=log)
    try:
        for _attempt in range(600):
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{who.base}/web/health", timeout=60).ok:
                    break
            if running.poll() is not None:
                break
            time.sleep(0.2)
        else:
            running.terminate()
        if running.poll() is not None:
            sys.exit(pathlib.Path(f"/tmp/{who.database}.log").read_text()[-3000:])
        yield
    finally:
        running.terminate()
        running.wait(60)


class User:
    """Somebody who is logged in."""

    def __init__(self, who: Contestant) -> None:
        self.who = who
        self.session = requests.Session()
        self.token = ""
        self.call("/web/session/authenticate", db=who.database, login="admin", password="bench")

    def call(self, path: str, **parameters: t.Any) -> t.Any:
        answer = self.session.post(self.who.base + path, json={"jsonrpc": "2.0", "params": parameters}, timeout=300).json()
        if "error" in answer:
            sys.exit(f"{self.who.name}: {json.dumps(answer['error'])[:2000]}")
        return answer["result"]

    def model(self, model: str, method: str, *arguments: t.Any, **keywords: t.Any) -> t.Any:
        return self.call(f"/web/dataset/call_kw/{model}/{method}", model=model, method=method, args=arguments, kwargs=keywords)

    def upload(self, content: bytes) -> int:
        if not self.token:
            found = re.search(r'csrf_token: "([^"]+)"', self.session.get(f"{self.who.base}/odoo", timeout=300).text)
            self.token = found[1] if found else ""
        data = {"csrf_token": self.token, "model": "res.partner", "id": "1"}
        answer = self.session.post(f"{self.who.base}/web/binary/upload_attachment", data=data, files={"ufile": ("file.bin", content)}, timeout=600)
        (file,) = answer.json()
        if "id" not in file:
            sys.exit(f"{self.who.name}: {file}")
        return int(file["id"])

    def get(self, path: str, expected: bytes | None = None) -> bytes:
        content = self.session.get(self.who.base + path, timeout=600)
        if content.status_code != 200 or (expected is not None and content.content != expected):
            sys.exit(f"{self.who.name} answered {path} with {content.status_code} and {len(content.content)} bytes that are not the right ones")
        return content.content


# -- what is measured ---------------------------------------------------------------------------------------------------


def timed(function: t.Callable[..., t.Any], *arguments: t.Any) -> float:
    begin = time.monotonic()
    function(*arguments)
    return time.monotonic() - begin


def picture() -> str:
    """A photograph of a person, as it is uploaded."""
    file = io.BytesIO()
    Image.frombytes("RGB", (300, 300), secrets.token_bytes(300 * 300 * 3)).save(file, "JPEG")
    return base64.b64encode(file.getvalue()).decode()


def browse(users: list[User], paths: list[str]) -> None:
    """Get pictures as browsers do: several at once."""
    local = iter(paths)
    lock = threading.Lock()

    def work(user: User) -> None:
        while True:
            with lock:
                path = next(local, None)
            if path is None:
                return
            user.get(path)

    with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
        list(pool.map(work, users))


def empty_cache(who: Contestant) -> None:
    if who is OURS:
        run(as_odoo([PYTHON, "-m", "engine.cli", "--config", "/etc/odoo/odoo.conf", "cache", "--clear"], who.environment), cwd=ADDON)


def memory(who: Contestant, function: t.Callable[[], t.Any]) -> float:
    """How many megabytes the worker that grew most had more at its peak than before."""
    workers = run(["pgrep", "-f", f"^{PYTHON} .*--http-port={who.port} "]).split()
    before = {}
    for pid in workers:
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
        before[pid] = status(pid, "VmRSS")
    function()
    return max(status(pid, "VmHWM") - rss for pid, rss in before.items() if pathlib.Path(f"/proc/{pid}").exists())


def status(pid: str, name: str) -> float:
    found = re.search(rf"(?m)^{name}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0


def one_round(who: Contestant, users: list[User], options: argparse.Namespace) -> dict[str, float]:
    """All measures of one contestant, once: seconds, or megabytes where the name says memory."""
    user, found = users[0], {}
    values = [{"name": "P", "image_1920": picture()} for _number in range(options.thumbnails)]
    begin = time.monotonic()
    partners = user.model("res.partner", "create", values)
    found[f"{options.thumbnails} pictures, each in several sizes, in one call up"] = time.monotonic() - begin
    paths = [f"/web/image/res.partner/{number}/image_128" for number in partners]
    for name in ("cold", "warm"):
        if name == "cold":
            empty_cache(who)
        found[f"{options.thumbnails} thumbnails in a browser, {name}"] = timed(browse, users[:BROWSER], paths)
    for name in ("cold", "warm"):
        if name == "cold":
            empty_cache(who)
        read = timed(user.model, "res.partner", "read", partners, ["image_128"])
        found[f"{options.thumbnails} thumbnails in one call, {name}"] = read
    for size, times in ((KB, 20), (100 * KB, 10), (MB, 5), (10 * MB, 2), (100 * MB, 1)):
        if size > options.largest * MB:
            continue
        title = f"{times} x {size // MB} MB" if size >= MB else f"{times} x {size // KB} KB"
        for name, seconds, grown in there_and_back(who, user, [secrets.token_bytes(size) for _number in range(times)]):
            found[f"{title} {name}"] = seconds
            if size == 100 * MB:
                found[f"memory, 100 MB {name}"] = grown
    many = [user.upload(secrets.token_bytes(20 * KB)) for _number in range(20)]
    empty_cache(who)
    found["10 users, 200 x 20 KB down"] = timed(browse, users, [f"/web/content/{number}?download=1" for number in many] * 10)
    return found


def there_and_back(who: Contestant, user: User, contents: list[bytes]) -> t.Iterator[tuple[str, float, float]]:
    """Upload and download the contents; of both the seconds and the megabytes of memory."""
    numbers: list[int] = []

    def up() -> None:
        numbers.extend(user.upload(content) for content in contents)

    def down() -> None:
        for number, content in zip(numbers, contents, strict=True):
            user.get(f"/web/content/{number}?download=1", content)

    for name, function in (("up", up), ("down", down)):
        if name == "down":
            empty_cache(who)
        begin = time.monotonic()
        grown = memory(who, function)
        yield name, time.monotonic() - begin, grown


# -- what is told -------------------------------------------------------------------------------------------------------


def shown(values: list[float]) -> str:
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def report(rounds: dict[str, list[dict[str, float]]], options: argparse.Namespace) -> str:
    """Markdown: the medians and ranges, every round, and what became of the goals."""
    names = list(rounds)
    measures = list(rounds[names[0]][0])
    lines = ["Seconds, and MB for memory: median (range).", "", f"| Measure | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
    for measure in measures:
        lines.append(f"| {measure} | {' | '.join(shown([found[measure] for found in rounds[name]]) for name in names)} |")
    lines += ["", "Every round:", "", "| Measure | Addon | Rounds |", "| --- | --- | --- |"]
    for measure in measures:
        lines += [f"| {measure} | {name} | {', '.join(f'{found[measure]:.3g}' for found in rounds[name])} |" for name in names]
    lines += ["", "| Goal | Ratio in each round: median (range) | |", "| --- | --- | --- |"]
    thumbnails = f"{options.thumbnails} thumbnails in a browser"
    goals = [
        (f"{thumbnails}, warm: at most 1.3 of the local filestore", OURS, LOCAL, f"{thumbnails}, warm", 1.3),
        (f"{thumbnails}, cold: at most 0.5 of OCA's", OURS, OCA, f"{thumbnails}, cold", 0.5),
    ]
    goals += [(f"{measure}: at most 0.5 of OCA's", OURS, OCA, measure, 0.5) for measure in measures if measure.endswith(" up") and "memory" not in measure]
    for title, one, other, measure, most in goals:
        if other.name in rounds:
            ratios = [first[measure] / second[measure] for first, second in zip(rounds[one.name], rounds[other.name], strict=True)]
            lines.append(f"| {title} | {shown(ratios)} | {'held' if statistics.median(ratios) <= most else '**missed**'} |")
    for measure in measures:
        if measure.startswith("memory"):
            for title, without in (("at most 64 MB", 0), ("at most 64 MB more than with the local filestore", 1)):
                pairs = zip(rounds[OURS.name], rounds[LOCAL.name], strict=True)
                grown = [ours[measure] - without * local[measure] for ours, local in pairs]
                lines.append(f"| {measure}: {title} | {shown(grown)} MB | {'held' if statistics.median(grown) <= 64 else '**missed**'} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-addon", description="Time attachments: local filestore, s3_attachment, OCA's fs_attachment_s3.")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--thumbnails", type=int, default=80, help="pictures (default: %(default)s)")
    parser.add_argument("--largest", type=int, default=100, metavar="MB", help="leave out larger files (default: %(default)s)")
    parser.add_argument("--without-oca", action="store_true", help="leave out the peer, which comes from PyPI")
    options = parser.parse_args()
    contestants = [LOCAL, OURS] if options.without_oca else [LOCAL, OURS, OCA]
    version = "" if options.without_oca else f", fs_attachment_s3 {install_peer()}"
    for who in contestants:
        set_up(who)
    release = run([PYTHON, "/opt/odoo/src/odoo-bin", "--version"]).strip()
    load = os.getloadavg()[0]
    print(f"{datetime.date.today()}, {release}{version}, {os.cpu_count()} processors, load average {load:.1f} at the start\n", flush=True)
    rounds: dict[str, list[dict[str, float]]] = {who.name: [] for who in contestants}
    with contextlib.ExitStack() as stack:
        for who in contestants:
            stack.enter_context(server(who))
        users = {who.name: [User(who) for _number in range(10)] for who in contestants}
        for who in contestants:  # a first request of all kinds is no measure
            one_round(who, users[who.name], argparse.Namespace(thumbnails=2, largest=1))
        for number in range(options.rounds):
            for who in contestants[:: -1 if number % 2 else 1]:
                begin = time.monotonic()
                rounds[who.name].append(one_round(who, users[who.name], options))
                print(f"round {number + 1}, {who.name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    print(report(rounds, options))


if __name__ == "__main__":
    main()
