# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time the upload of a filestore to MinIO, ours against the tools of the trade: same files, same server, same run.

    make bench-migration
    make bench-migration ARGUMENTS='--data mix --files 5000 --rounds 7 --server tmpfs'
    make bench-migration ARGUMENTS=--memory

Each client of each round gets a server that was just started, with an empty bucket: nothing is ever deleted in one (MinIO
would go on purging during the next client's run), and memory suffices for the files and one copy of them. The clients take
turns within a round, in reversed order in every second one. Each runs twice: the second time there is nothing to do.

Ours is the engine's command line with all that it does: it asks a real PostgreSQL for the names, probes the server, writes
its state and its report. The peers are only told to copy a directory.

The third measures nothing but our memory, with 20,000 and with a million names; see tests/servers/many_names.py for how.

A ratio is ours by the peer's of the same round; told are its median and a 95 % interval (bootstrap of the median).
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import io
import json
import math
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "servers"))
import psycopg2
from conftest import CACHE, Server, start_minio, start_minio_tls  # the servers of the tests
from filestore import TABLES, postgresql
from many_names import RUNS, peaks

HERE = pathlib.Path(__file__).parent
BUCKET = "filestore"
DATABASE = "bench"
ENGINE = "ansible_collections.odooops.stack.plugins.module_utils.filestore.cli"
MIB = 1024 * 1024
OURS = "ours"
# Of --memory. At the second, whole sixteenths of the bucket are still listed together.
NAMES = (20_000, 120_000, 1_000_000)

# What each client's success says of the objects.
PROOFS = {
    OURS: "the server checked each file against the SHA-1 in its name",
    "rclone": "the server checked an MD5 of what was read; nobody looked at the name",
    "s5cmd": "the server checked an MD5 and a SHA-256 of what was read; nobody looked at the name",
    "obstore": "nothing was checked",
    "boto3": "the server checked a CRC32 and a SHA-256 of what was read; nobody looked at the name",
    "aws": "the server checked a CRC32 and a SHA-256 of what was read; nobody looked at the name",
}


class Run(t.NamedTuple):
    """What one process took: seconds of wall clock and of CPU, and megabytes of memory at its peak."""

    wall: float
    cpu: float
    memory: float


class Data(t.NamedTuple):
    """Sizes in bytes of the files of a set."""

    title: str
    sizes: list[int]


def mix(files: int, _size: int) -> Data:
    """Lognormal, the median at 19 KB and the 90th percentile at 200 KB, as of an Odoo with invoices and photographs; at most 96 MB."""
    number = random.Random(6)
    sizes = [min(96_000_000, max(1, int(number.lognormvariate(math.log(18_900), 1.84)))) for _file in range(files)]
    return Data(f"{files} files, lognormal", sizes)


def small(files: int, size: int) -> Data:
    return Data(f"{files} files of {size} bytes", [size] * files)


def big(files: int, size: int) -> Data:
    return Data(f"{files} files of {size // MIB} MiB", [size] * files)


# Files and bytes each, unless the arguments say otherwise.
DATA: dict[str, tuple[t.Callable[[int, int], Data], int, int]] = {"mix": (mix, 20_000, 0), "small": (small, 20_000, 4096), "big": (big, 8, 128 * MIB)}


def make_files(directory: pathlib.Path, data: Data) -> None:
    """Write a filestore of random contents, and read nothing back: the page cache holds it."""
    number = random.Random(19)
    for size in data.sizes:
        content = number.randbytes(size)
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        folder = directory / sha1[:2]
        folder.mkdir(exist_ok=True)
        (folder / sha1).write_bytes(content)


def make_rows(connection: dict[str, str], filestore: pathlib.Path) -> None:
    """Have a database with one attachment for each file."""
    with contextlib.closing(psycopg2.connect(dbname="postgres", **connection)) as link:
        link.autocommit = True
        link.cursor().execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        link.cursor().execute(f"CREATE DATABASE {DATABASE}")
    with contextlib.closing(psycopg2.connect(dbname=DATABASE, **connection)) as link, link.cursor() as cursor:
        link.autocommit = True
        cursor.execute(TABLES)
        lines = "".join(f"file\t{path.parent.name}/{path.name}\t{path.stat().st_size}\n" for path in filestore.glob("*/*"))
        cursor.copy_from(io.StringIO(lines), "ir_attachment", columns=("name", "store_fname", "file_size"))
        cursor.execute("ANALYZE ir_attachment")


def write_settings(directory: pathlib.Path, connection: dict[str, str], server: Server) -> pathlib.Path:
    """The configuration files of an Odoo that uses this database and this server; gives odoo.conf."""
    path = directory / "odoo.conf"
    path.write_text(f"[options]\ndb_host = {connection['host']}\ndb_user = {connection['user']}\n")
    settings = {"bucket": BUCKET, "ca_bundle": server.ca_bundle or ""}
    settings |= {name: getattr(server, name) for name in ("endpoint_url", "region", "access_key", "secret_key")}
    (directory / "s3_attachment.conf").write_text("[s3_attachment]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    return path


def commands(python: str, name: str, filestore: pathlib.Path, server: Server, odoo_conf: pathlib.Path) -> list[str]:
    """The command line of a client, at the settings that docs/performance.md explains."""
    source, target = f"{filestore}/", f"s3://{BUCKET}/"
    certificate = [f"--ca-cert={server.ca_bundle}"] if server.ca_bundle else []
    if name == OURS:
        state = odoo_conf.parent / "state"
        options = ["--database", DATABASE, "--filestore", str(filestore), "--state-dir", str(state), "--report-dir", str(state / "report")]
        return [sys.executable, "-m", ENGINE, "--config", str(odoo_conf), "upload", *options]
    if name == "rclone":
        options = ["--transfers=16", "--checkers=16", "--size-only", "--fast-list", "--s3-no-check-bucket", "--s3-no-head", "--s3-use-unsigned-payload=true"]
        options += ["--s3-upload-cutoff=32Mi", "--s3-chunk-size=16Mi", "--s3-upload-concurrency=4", "--no-update-modtime", "--stats=0"]
        where = f":s3,provider=Minio,env_auth=true,region={server.region},endpoint='{server.endpoint_url}':{BUCKET}"
        return [str(CACHE / "peers/rclone"), "copy", *options, *certificate, source, where]
    if name == "s5cmd":
        options = ["--numworkers=16", "--log=error", f"--endpoint-url={server.endpoint_url}"]
        return [str(CACHE / "peers/s5cmd"), *options, "sync", "--size-only", source, target]
    if name == "aws":
        return [f"{pathlib.Path(python).parent}/aws", "s3", "sync", "--only-show-errors", "--size-only", source, target]
    return [python, str(HERE / "clients.py"), name, str(filestore), BUCKET]


def environment(server: Server, home: pathlib.Path) -> dict[str, str]:
    values = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(home),
        "AWS_CONFIG_FILE": str(home / "aws"),
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_REGION": server.region,
    }
    if server.ca_bundle:
        values |= {"AWS_CA_BUNDLE": server.ca_bundle, "SSL_CERT_FILE": server.ca_bundle}
    return values


# A child's peak of memory is at least that of the process that started it, so that one has to be small.
LAUNCH = """
import json, os, subprocess, sys, time
started = time.monotonic()
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr)
_pid, status, usage = os.wait4(child.pid, 0)
wall = time.monotonic() - started
child.returncode = os.waitstatus_to_exitcode(status)
print(json.dumps([wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]))
sys.exit(child.returncode)
"""


def measure(command: list[str], settings: dict[str, str]) -> Run:
    """Run a program to its end. Ends the benchmark where it fails."""
    done = subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", LAUNCH, *command], env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return Run(*json.loads(done.stdout))


def prove(server: Server, filestore: pathlib.Path, data: Data, name: str) -> None:
    """Hold the bucket against the files: number and sizes, and for ours the SHA-1 of each, as the server itself tells or gives it."""
    client = server.client
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    # A client may keep notes of its own under names that begin with a dot.
    found = {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", []) if not item["Key"].startswith(".")}
    expected = {f"{path.parent.name}/{path.name}": path.stat().st_size for path in filestore.glob("*/*")}
    if found != expected:
        sys.exit(
            f"{name} left {len(found)} objects of {len(expected)} files in the bucket, {sum(found.get(key) == size for key, size in expected.items())} right"
        )
    if name != OURS:
        return
    for key in expected:
        answer = client.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        checksum = answer.get("ChecksumSHA1", "")
        if checksum and "-" not in checksum:
            sha1 = base64.b64decode(checksum).hex()
        else:  # it came in parts: the server has no SHA-1 of the whole
            sha1 = hashlib.sha1(client.get_object(Bucket=BUCKET, Key=key)["Body"].read(), usedforsecurity=False).hexdigest()
        if sha1 != key[3:]:
            sys.exit(f"the object {key} has the SHA-1 {sha1}")
    print(f"  all {len(expected)} objects of ours have the SHA-1 of their names ({sum(data.sizes) / 1e6:.0f} MB)", flush=True)


def interval(values: list[float]) -> tuple[float, float, float]:
    """The median, and its 95 % interval by bootstrap."""
    number = random.Random(95)
    medians = sorted(statistics.median(number.choices(values, k=len(values))) for _sample in range(10_000))
    return statistics.median(values), medians[250], medians[9749]


def table(title: str, runs: dict[str, list[tuple[Run, Run]]]) -> str:
    """Markdown: medians of each client, and ours by each peer."""
    lines = [
        title,
        "",
        "| Client | Upload s | CPU s | Peak MB | Second run s | Ours/peer, upload | Ours/peer, second run |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, pairs in runs.items():
        first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        cells = [name, f"{statistics.median(run.wall for run in first):.2f}", f"{statistics.median(run.cpu for run in first):.2f}"]
        cells += [f"{max(run.memory for pair in pairs for run in pair):.0f}", f"{statistics.median(run.wall for run in second):.2f}"]
        for index in (0, 1):
            if name == OURS or OURS not in runs:
                cells.append("")
                continue
            median, low, high = interval([ours[index].wall / peer[index].wall for ours, peer in zip(runs[OURS], pairs, strict=True)])
            cells.append(f"{median:.2f} ({low:.2f} to {high:.2f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def conditions() -> str:
    model = next(
        (line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "unknown CPU"
    )
    return f"{os.cpu_count()} x {model}, client and server on the same host, load average {os.getloadavg()[0]:.1f} at the start"


def one_set(options: argparse.Namespace, name: str, scratch: pathlib.Path, drives: pathlib.Path, connection: dict[str, str]) -> str:
    make, files, size = DATA[name]
    data = make(options.files or files, options.size or size)
    filestore = scratch / name
    filestore.mkdir()
    make_files(filestore, data)
    make_rows(connection, filestore)
    kind = f"{data.title} ({sum(data.sizes) / 1e6:.0f} MB), server on {options.server}{', TLS' if options.tls else ''}"
    print(f"\n{kind}; {conditions()}", flush=True)
    start = start_minio_tls if options.tls else start_minio
    runs: dict[str, list[tuple[Run, Run]]] = {client: [] for client in options.clients}
    for number in range(options.rounds):
        for client in options.clients[:: -1 if number % 2 else 1]:
            place = pathlib.Path(tempfile.mkdtemp(dir=drives))
            with start(place, drives=1) as server:
                server.client.create_bucket(Bucket=BUCKET)
                command = commands(options.python, client, filestore, server, write_settings(place, connection, server))
                pair = (measure(command, environment(server, scratch)), measure(command, environment(server, scratch)))
                runs[client].append(pair)
                print(
                    f"  {number + 1} {client:8} {pair[0].wall:7.2f} s  CPU {pair[0].cpu:7.2f} s  {pair[0].memory:5.0f} MB   again {pair[1].wall:6.2f} s",
                    flush=True,
                )
                if number == 0:
                    prove(server, filestore, data, client)
            shutil.rmtree(place)
            # What a disk still has to do is not to be done during the next client's run.
            os.sync()
    shutil.rmtree(filestore)
    return table(f"{kind}; {options.rounds} rounds", runs)


def memory(scratch: pathlib.Path, connection: dict[str, str]) -> str:
    """Markdown: the peak of each phase, by the number of names."""
    lines = ["Peak memory of ours, MB", "", f"| Names | {' | '.join(RUNS)} |", f"| ---{' | ---' * len(RUNS)} |"]
    for count in NAMES:
        found = peaks(count, scratch / str(count), connection)
        lines.append(f"| {count:,} | {' | '.join(f'{found[run]:.0f}' for run in RUNS)} |")
        print(lines[-1], flush=True)
        shutil.rmtree(scratch / str(count))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-migration", description="Time the upload of a filestore, ours and its peers.")
    parser.add_argument("--data", default="mix,small,big", help="sets, of mix, small and big (default: %(default)s)")
    parser.add_argument("--files", type=int, default=0, help="files of each set instead of 20,000, 20,000 and 8")
    parser.add_argument("--size", type=int, default=0, help="bytes of each file of small and big instead of 4,096 and 128 MiB")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default: %(default)s)")
    parser.add_argument("--server", choices=["tmpfs", "disk"], default="tmpfs", help="where the server has its drive (default: %(default)s)")
    parser.add_argument("--tls", action="store_true", help="over TLS")
    parser.add_argument("--clients", default=",".join(PROOFS), help="which take part (default: %(default)s)")
    parser.add_argument("--memory", action="store_true", help=f"measure our memory at {' and '.join(f'{count:,}' for count in NAMES)} names instead")
    parser.add_argument("--markdown", type=pathlib.Path, help="a file that gets the tables as well")
    parser.add_argument("--python", required=True, help="the interpreter that has obstore, boto3 and awscli (tools/peers)")
    options = parser.parse_args()
    options.clients = options.clients.split(",")
    unknown = (set(options.clients) - set(PROOFS)) | (set(options.data.split(",")) - set(DATA))
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are the clients {', '.join(PROOFS)} and the sets {', '.join(DATA)}")

    with contextlib.ExitStack() as stack:
        # The files are in memory, wherever the server has its drive: what is compared is the clients, not who comes first to a cold disk.
        scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        drives = scratch if options.server == "tmpfs" else pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(dir=CACHE)))
        connection = stack.enter_context(postgresql(pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pg")))))
        (scratch / "aws").write_text("[default]\ns3 =\n  max_concurrent_requests = 16\n  addressing_style = path\n")
        if options.memory:
            options.clients, tables = [], [memory(scratch, connection)]
        else:
            tables = [one_set(options, name, scratch, drives, connection) for name in options.data.split(",")]
    for text in tables:
        print(f"\n{text}")
    if options.clients:
        print("What a client's success proves of the objects:")
    for name in options.clients:
        print(f"  {name:8} {PROOFS[name]}")
    if options.markdown:
        options.markdown.write_text("\n".join(tables))


if __name__ == "__main__":
    main()
