# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time s3_bucket against amazon.aws.s3_bucket: a list of buckets that are all as they are wanted, on MinIO.

make bench    runs both lists by turns, three times each, and prints the seconds of each run and the ratio of the medians.

Both get versioning, object lock, encryption, tags and policy; lifecycle rules need a second module with the peer
(community.aws.s3_lifecycle), which cannot do without writing, so the peer is timed without them: five aspects to our six.
"""

from __future__ import annotations

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "servers"))
from conftest import Server, start_minio  # the servers of the tests

NAMES = "{{ 'bench%03d' | format(item) }}"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": ["*"]},
            "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::" + NAMES + "/*"],
        }
    ],
}
LIFECYCLE = [{"id": "former", "noncurrent_expiration_days": 90}]


def tasks(server: Server, count: int) -> dict[str, dict[str, object]]:
    connection = {"endpoint_url": server.endpoint_url, "access_key": server.access_key, "secret_key": server.secret_key, "region": server.region}
    common = {"name": NAMES, "policy": POLICY, "tags": {"instance": "bench"}, **connection}
    ours = {**common, "versioning": "enabled", "object_lock": True, "encryption": {"algorithm": "AES256"}, "lifecycle": LIFECYCLE}
    peer = {**common, "versioning": True, "object_lock_enabled": True, "encryption": "AES256"}
    loop = {"loop": f"{{{{ range({count}) | list }}}}"}
    return {"ours": {"odooops.stack.s3_bucket": ours, **loop}, "amazon.aws": {"amazon.aws.s3_bucket": peer, **loop}}


def play(directory: pathlib.Path, name: str, task: dict[str, object]) -> float:
    """Seconds of a run. Ends the benchmark where one fails."""
    playbook = directory / f"{name}.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [{"name": name, **task}]}]))
    playbook.chmod(0o600)
    environment = {**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    started = time.monotonic()
    done = subprocess.run(["ansible-playbook", "-i", "localhost,", str(playbook)], env=environment, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-1000:])
    print(f"{name:12} {seconds:7.1f} s   {done.stdout.split('PLAY RECAP')[1].splitlines()[1].strip()}", flush=True)
    return seconds


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder, start_minio(pathlib.Path(folder)) as server:
        both = tasks(server, count)
        print(f"{count} buckets; the first run makes them", flush=True)
        play(pathlib.Path(folder), "ours", both["ours"])
        times: dict[str, list[float]] = {name: [] for name in both}
        for _round in range(3):
            for name, task in both.items():
                times[name].append(play(pathlib.Path(folder), name, task))
        print(f"amazon.aws.s3_bucket takes {statistics.median(times['amazon.aws']) / statistics.median(times['ours']):.2f} times as long")


if __name__ == "__main__":
    main()
