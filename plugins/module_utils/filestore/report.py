# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""What a run of the migration has found and done: counted, told while it goes on, and written down at its end."""

from __future__ import annotations

import csv
import html
import json
import os
import threading
import time
from collections.abc import Mapping
from typing import Any, TextIO

from .journal import write_atomically

SHOWN = 1000

# What is counted, in the order in which it is shown.
TITLES = {
    "referenced": "Names that rows of the database refer to",
    "to_upload": "To be uploaded",
    "uploaded": "Uploaded in this run",
    "in_bucket": "In the bucket already",
    "only_bucket": "In the bucket and not on this disk",
    "verified": "Verified in the bucket",
    "not_uploaded": "On this disk and not in the bucket",
    "to_clean": "Local copies to be removed",
    "cleaned": "Local copies removed",
    "kept": "Local copies kept, because they may not be removed yet",
    "to_download": "To be brought back",
    "downloaded": "Brought back in this run",
    "local": "On this disk",
    "gone": "Deleted by Odoo meanwhile",
    "orphans_local": "Local files that no row refers to",
    "orphans_bucket": "Objects that no row refers to",
    "pending": "Objects that no row refers to, but that are young or left to garbage collection",
    "waiting": "Kept on a host until the store can take them",
    "other_names": "Names that are no names of contents",
    "missing": "Missing: neither on this disk nor in the bucket",
    "corrupt": "Corrupt local files, which were not stored",
    "differing": "Objects that are not what their name says",
    "size": "Objects of another size than their rows say",
    "checksum": "Objects whose SHA-1 is not the one in their name",
    "repairable": "Of these, what a repair would put right",
    "repaired": "Put right in this run",
    "unreadable": "Local files that could not be read",
    "failed": "Failed; another run tries again",
}
# What a person has to look into.
PROBLEMS = ("missing", "corrupt", "differing", "size", "checksum", "unreadable", "failed")


def megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f} MB"


class Report:
    """Counts and findings of one run. May be used by several threads.

    The findings go to a CSV file as they come, so that a million of them take no memory; ``progress`` gets a line every
    few seconds.

    :param directory: where the files are written: ``<phase>-<shard>.json``, ``.csv`` and ``.html``, and ``progress.log``. None: nowhere.
    """

    def __init__(self, directory: str | None, phase: str, about: Mapping[str, str], shard: str = "1/1", progress: TextIO | None = None) -> None:
        self.phase = phase
        self.about = dict(about)
        self.shard = shard
        self.counts: dict[str, list[int]] = {}
        self.findings: list[dict[str, Any]] = []
        self.done_prefixes = 0
        self.all_prefixes = 0
        self._started, self._began_at = time.monotonic(), time.time()
        self._lock = threading.Lock()
        self._told = 0.0
        self._progress = [progress] if progress else []
        self._base: str | None = None
        self._csv: TextIO | None = None
        if directory is not None:
            os.makedirs(directory, mode=0o750, exist_ok=True)
            self._base = os.path.join(directory, f"{phase}-{shard.replace('/', '-of-')}")
            self._progress.append(open(os.path.join(directory, "progress.log"), "a", encoding="utf-8"))  # noqa: SIM115
            # Beside the former one until this one is whole.
            self._csv = open(f"{self._base}.csv.part", "w", encoding="utf-8", newline="")  # noqa: SIM115
            self._writer = csv.writer(self._csv)
            self._writer.writerow(["finding", "name", "bytes", "detail"])

    def count(self, what: str, size: int = 0, files: int = 1) -> None:
        with self._lock:
            entry = self.counts.setdefault(what, [0, 0])
            entry[0] += files
            entry[1] += size

    def find(self, what: str, name: str, size: int = 0, detail: str = "") -> None:
        """Count something that deserves a line of its own."""
        self.count(what, size)
        with self._lock:
            if self._csv is not None:
                self._writer.writerow([what, name, size, detail])
            # Of each kind, so that many of one do not hide another.
            if self.counts[what][0] <= SHOWN:
                self.findings.append({"finding": what, "name": name, "bytes": size, "detail": detail})

    def files(self, what: str) -> int:
        return self.counts.get(what, [0, 0])[0]

    @property
    def problems(self) -> int:
        return sum(self.files(what) for what in PROBLEMS)

    def tell(self, every: float = 2.0) -> None:
        """Write a line on how far it is, if the last one is older than that."""
        now = time.monotonic()
        if now - self._told < every:
            return
        self._told = now
        moved = self.counts.get({"back": "downloaded"}.get(self.phase, "uploaded"), [0, 0])
        seconds = max(now - self._started, 0.001)
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {self.phase} {self.shard}: {self.done_prefixes} of {self.all_prefixes} directories"
        for name in ("uploaded", "verified", "cleaned", "downloaded"):
            if name in self.counts:
                line += f", {self.counts[name][0]} files ({megabytes(self.counts[name][1])}) {name}"
        line += f", {moved[0] / seconds:.0f} files/s, {megabytes(moved[1] / seconds)}/s, {self.problems} problems\n"
        for stream in self._progress:
            stream.write(line)
            stream.flush()

    def finish(self, complete: bool, **more: Any) -> dict[str, Any]:
        """Write the files, and return what is in the JSON one."""
        seconds = time.monotonic() - self._started
        moved = self.counts.get("downloaded" if self.phase == "back" else "uploaded", [0, 0])
        self.tell(0)
        result: dict[str, Any] = {
            "phase": self.phase,
            "shard": self.shard,
            "complete": complete,
            "problems": self.problems,
            "counts": {name: {"files": self.counts[name][0], "bytes": self.counts[name][1]} for name in TITLES if name in self.counts},
            "began_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._began_at)),
            "seconds": round(seconds, 2),
            "files_per_second": round(moved[0] / max(seconds, 0.001), 1),
            "bytes_per_second": round(moved[1] / max(seconds, 0.001)),
            **self.about,
            **more,
        }
        if self._base is not None and self._csv is not None:
            self._csv.close()
            os.replace(f"{self._base}.csv.part", f"{self._base}.csv")
            result["report"] = f"{self._base}.json"
            write_atomically(f"{self._base}.html", self._page(result), 0o640, durable=False)
            write_atomically(f"{self._base}.json", json.dumps({**result, "findings": self.findings}, indent=1) + "\n", 0o640, durable=False)
            self._progress.pop().close()
        return result

    def _page(self, result: Mapping[str, Any]) -> str:
        def row(*cells: object) -> str:
            return "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>"

        about = "".join(row(name, result[name]) for name in ("phase", "shard", "complete", "problems", "began_at", "seconds", *self.about))
        counts = "".join(row(TITLES[name], f"{entry['files']:,}", megabytes(entry["bytes"])) for name, entry in result["counts"].items())
        findings = "".join(row(TITLES[entry["finding"]], entry["name"], entry["bytes"], entry["detail"]) for entry in self.findings)
        more = f"<p>The first {SHOWN} of each kind are shown; the CSV file beside this one has all.</p>" if len(self.findings) >= SHOWN else ""
        return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Filestore: {html.escape(self.phase)}</title>
<style>body {{ font: 15px sans-serif; margin: 2em }} table {{ border-collapse: collapse; margin: 1em 0 }}
td, th {{ border: 1px solid #bbb; padding: .3em .6em; text-align: left }}</style></head>
<body><h1>Filestore: {html.escape(self.phase)}</h1>
<table>{about}</table>
<h2>Counts</h2><table><tr><th>What</th><th>Files</th><th>Size</th></tr>{counts}</table>
<h2>Findings</h2>{more}<table><tr><th>What</th><th>Name</th><th>Bytes</th><th>Detail</th></tr>{findings}</table>
</body></html>
"""
