# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The settings of the store: which there are, what each may be, and what follows from them.

Where they come from is in ``sources``.

A section ``[s3_attachment:<route>]`` says where it differs from the rest for contents of that route: how they are kept
(``storage_class``, ``sse`` and ``kms_key_id``), where (``bucket`` and ``prefix``, at the same end point and with the same key), and who sends
them (``serve_mode`` and ``presign_ttl``).
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from . import keys
from .errors import ConfigError

if TYPE_CHECKING:
    from .sources import Watch

SECTION = "s3_attachment"
PARAMETER_PREFIX = "s3_attachment."
DATABASE = "the database"

# What an administrator of Odoo may set.
SAFE = (
    "serve_mode",
    "presign_ttl",
    "redirect_min_size",
    "write_mode",
    "copy_writes",
    "cache_max_bytes",
    "cache_days",
    "connect_timeout",
    "read_timeout",
    "max_attempts",
    "op_budget",
    "pool_size",
    "multipart_threshold",
)
# What says which store it is. Not among them: what a copy must not have (instance_id), and what is of the host.
STORE = ("bucket", "prefix", "endpoint_url", "public_endpoint_url", "region", "addressing_style", "access_key", "secret_key")


class Placement(NamedTuple):
    """How the store keeps contents; each is '' for what the bucket itself says."""

    storage_class: str = ""
    sse: str = ""
    kms_key_id: str = ""

    @property
    def encryption(self) -> dict[str, str]:
        """What a request that stores something says about encryption, as boto3 calls it."""
        return {name: value for name, value in (("ServerSideEncryption", self.sse), ("SSEKMSKeyId", self.kms_key_id)) if value}

    @property
    def parameters(self) -> dict[str, str]:
        """What a request that stores a content says, as boto3 calls it."""
        return ({"StorageClass": self.storage_class} if self.storage_class else {}) | self.encryption


class Route(NamedTuple):
    """What is different for contents of a route; '' and 0 are as all else, except for the first three: there '' is what the bucket itself says."""

    storage_class: str = ""
    sse: str = ""
    kms_key_id: str = ""
    bucket: str = ""
    prefix: str = ""
    serve_mode: str = ""
    presign_ttl: int = 0


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings that have been checked. ``origins`` says for each one given where it was found.

    ``instance_id``: the name of this installation; it is in no copy of the database. ``copy_writes``: what a database that does not own the prefix
    does with new files: keep them in its local filestore, or refuse them. ``database_uuid``: if given, only the database with this ``database.uuid``
    may own the prefix. ``gc_grace_hours``: for how long an object may be had back after the last reference to it went. ``gc_batch``: how many objects
    are deleted while one prefix of names is locked. ``gc_unversioned``: whether objects are deleted in a bucket that keeps no versions.
    ``op_budget``: after how many seconds no further attempt is begun that could last longer. ``storage_class``, ``sse`` and ``kms_key_id``: how the
    store keeps contents, and with which key it encrypts them; empty for what the bucket itself says. ``routes``: each route with what is different
    there; what is about a content goes by :meth:`of`. ``multipart_threshold``: from how many bytes on a content is sent in parts, side by side.
    ``gzip``: which new contents are stored compressed, from ``gzip_min_size`` bytes on. ``write_mode``: whether a new file is kept on this host, in
    ``spool_dir``, when the store does not answer, or refused. ``node``: this host's name in the outbox, if not the usual one. ``cache_dir``: where
    contents that were read are kept on this host, ``s3_cache`` in Odoo's data directory unless given; at most ``cache_max_bytes`` (0: none), each for
    ``cache_days`` after it was last read. ``failover_*``: a second end point, see :attr:`failover`; ``failover_writes``: whether new contents go
    there too while the first one does not answer.
    """

    bucket: str
    prefix: str = ""
    endpoint_url: str = ""
    public_endpoint_url: str = ""
    region: str = "us-east-1"
    addressing_style: str = ""
    access_key: str = ""
    secret_key: str = dataclasses.field(default="", repr=False)
    ca_bundle: str = ""
    instance_id: str = ""
    storage_class: str = ""
    sse: str = ""
    kms_key_id: str = ""
    serve_mode: str = "redirect"
    presign_ttl: int = 300
    redirect_min_size: int = 1024 * 1024
    connect_timeout: int = 3
    read_timeout: int = 20
    max_attempts: int = 3
    op_budget: int = 30
    pool_size: int = 10
    multipart_threshold: int = 15 * 1024 * 1024
    gzip: str = "none"
    gzip_min_size: int = 4096
    write_mode: str = "spool"
    spool_dir: str = ""
    node: str = ""
    cache_dir: str = ""
    cache_max_bytes: int = 1024**3
    cache_days: int = 30
    copy_writes: str = "local"
    database_uuid: str = ""
    gc_grace_hours: int = 24
    gc_batch: int = 200
    gc_unversioned: str = "refuse"
    metrics_token: str = dataclasses.field(default="", repr=False)
    failover_endpoint_url: str = ""
    failover_public_endpoint_url: str = ""
    failover_bucket: str = ""
    failover_region: str = ""
    failover_access_key: str = ""
    failover_secret_key: str = dataclasses.field(default="", repr=False)
    failover_writes: str = "refuse"
    database_settings: str = "none"
    routes: tuple[tuple[str, Route], ...] = ()
    origins: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False, compare=False)
    watch: Watch | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """Access key and secret key as the files say now: what runs for long lives through a change of the key."""
        now = self.watch.current() if self.watch else None
        if now is not None and self.is_second:
            now = now.failover
        # A key of another store is none for this one.
        same = now is not None and now.endpoint_url == self.endpoint_url and self.bucket in now.buckets
        found = now if now is not None and same else self
        return found.access_key, found.secret_key

    def of(self, fname: str) -> Config:
        """The settings that hold for a content: its bucket and prefix, how it is kept, and who sends it.

        For a route that is no longer among the settings they are those for all else. Nothing else knows where a content is.
        """
        return self.by_route.get(keys.parse(fname).route, self)

    def key_of(self, fname: str) -> str:
        """The key under which the content lies in the bucket that :meth:`of` tells."""
        return keys.object_key(self.of(fname).prefix, fname)

    @functools.cached_property
    def by_route(self) -> dict[str, Config]:
        """What holds for each route."""

        def own(route: Route) -> dict[str, Any]:
            found = {name: value for name, value in route._asdict().items() if value or name in Placement._fields}
            # A bucket of its own has the same name at the second end point.
            return found | ({"failover_bucket": ""} if found.get("bucket") else {})

        return {code: dataclasses.replace(self, routes=(), **own(route)) for code, route in self.routes}

    @functools.cached_property
    def targets(self) -> tuple[Config, ...]:
        """The settings for each bucket and prefix where contents may be; those for all else come first."""
        found = {target.target: target for target in (*reversed(self.by_route.values()), self)}
        return tuple(sorted(found.values(), key=lambda target: (target is not self, target.target)))

    @property
    def buckets(self) -> dict[str, Config]:
        """Each bucket where contents may be, with the settings for a place in it."""
        return {target.bucket: target for target in self.targets}

    @property
    def target(self) -> tuple[str, str]:
        """Bucket and prefix."""
        return self.bucket, self.prefix

    @property
    def patience(self) -> float:
        """The part of ``op_budget`` that one end point has, in seconds: where there are two, half of it."""
        return self.op_budget / 2 if self.failover_endpoint_url else self.op_budget

    @property
    def failover(self) -> Config | None:
        """The settings of the end point that is asked where the first one does not answer; None if there is none.

        All that is not said of it is as with the first one.
        """
        if not self.failover_endpoint_url:
            return None
        access_key, secret_key = (self.failover_access_key, self.failover_secret_key) if self.failover_access_key else self.key
        return dataclasses.replace(
            self,
            endpoint_url=self.failover_endpoint_url,
            public_endpoint_url=self.failover_public_endpoint_url or self.failover_endpoint_url,
            bucket=self.failover_bucket or self.bucket,
            region=self.failover_region or self.region,
            access_key=access_key,
            secret_key=secret_key,
        )

    @property
    def is_second(self) -> bool:
        """Whether these are the settings that :attr:`failover` gives."""
        return bool(self.endpoint_url) and self.endpoint_url == self.failover_endpoint_url

    def placement(self, route: str = "") -> Placement:
        """How contents of a route are kept; of a route that is no longer among the settings as all else."""
        found = self.by_route.get(route, self)
        return Placement(found.storage_class, found.sse, found.kms_key_id)

    @property
    def where(self) -> str:
        """The store, for messages."""
        return f"bucket {self.bucket} at {self.endpoint_url or 'AWS ' + self.region}"


_FIELDS = {field.name: field for field in dataclasses.fields(Config) if field.name not in ("routes", "origins", "watch")}
_SECRETS = {"secret_key", "metrics_token", "failover_secret_key"}
_CHOICES = {
    "addressing_style": ("path", "virtual"),
    "serve_mode": ("redirect", "x_accel", "proxy"),
    "copy_writes": ("local", "refuse"),
    "write_mode": ("spool", "strict"),
    "gc_unversioned": ("refuse", "allow"),
    "failover_writes": ("refuse", "allow"),
    "database_settings": ("none", "safe", "all"),
    "gzip": ("none", "text"),
    "sse": ("AES256", "aws:kms"),
}
_RANGES = {
    "presign_ttl": (60, 900),
    "redirect_min_size": (0, 2**40),
    "connect_timeout": (1, 60),
    "read_timeout": (1, 300),
    "max_attempts": (1, 10),
    "op_budget": (2, 600),
    "pool_size": (1, 100),
    "gzip_min_size": (0, 2**40),
    "multipart_threshold": (5 * 1024**2, 5 * 1024**3),
    "cache_max_bytes": (0, 2**48),
    "cache_days": (1, 3650),
    "gc_grace_hours": (0, 8760),
    "gc_batch": (1, 1000),
}
_BUCKET = (re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), "3 to 63 of a-z, 0-9, '.' and '-'")
_REGION = (re.compile(r"[a-z0-9-]{1,63}"), "a-z, 0-9 and '-'")
_PATTERNS = {
    "bucket": _BUCKET,
    "failover_bucket": _BUCKET,
    "failover_region": _REGION,
    "prefix": (re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*"), "names of A-Z, a-z, 0-9, '.', '_' and '-', each followed by '/'"),
    "region": _REGION,
    "storage_class": (
        re.compile(r"(?!(?:GLACIER|DEEP_ARCHIVE)$)[A-Z][A-Z0-9_]{0,63}"),
        "a class whose objects can be read at once, such as STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR or REDUCED_REDUNDANCY",
    ),
    "kms_key_id": (re.compile(r"[A-Za-z0-9][A-Za-z0-9:/_.-]{0,511}"), "the name or the ARN of a key"),
    "database_uuid": (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "the value of the system parameter database.uuid"),
    "node": (re.compile(r"[A-Za-z0-9._-]{1,64}"), "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'"),
    "spool_dir": (re.compile(r"(?:/[^/\s]+)+"), "an absolute path without blanks"),
    "cache_dir": (re.compile(r"(?:/[^/\s]+)+"), "an absolute path without blanks"),
    "metrics_token": (re.compile(r"[A-Za-z0-9._~+/=-]{16,200}"), "16 to 200 of A-Z, a-z, 0-9, '.', '_', '~', '+', '/', '=' and '-'"),
    "instance_id": (re.compile(r"[A-Za-z0-9._-]{1,64}"), "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'"),
}
# Of the names of contents, which a listing would take for them.
_DIRECTORY = re.compile(r"[0-9a-f]{2}/")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check(name: str, value: str) -> None:
    """See whether one setting of the database is right, taken by itself.

    :raises ConfigError: it is not.
    """
    partner = {"access_key": "secret_key", "secret_key": "access_key"}.get(name, "bucket")
    room = {"connect_timeout": "1", "read_timeout": "1"} if name == "op_budget" else {"op_budget": "600"}
    parse({"bucket": "none", partner: "none", **room, name: value}, {name: DATABASE})


def parse(given: Mapping[str, str], origins: Mapping[str, str], routes: Mapping[str, Mapping[str, str]] | None = None) -> Config:
    """Settings from strings; ``origins`` says for messages where each of them was found.

    :param routes: for each route what is different there.
    """

    def fail(name: str, allowed: str) -> ConfigError:
        shown = "" if name in _SECRETS else f" is {given[name]!r}, but"
        return ConfigError(f"{name} (from {origins.get(name, 'unknown')}){shown} must be {allowed}")

    values: dict[str, str | int] = {}
    for name, value in given.items():
        if name not in _FIELDS:
            raise ConfigError(f"{name} (from {origins.get(name, 'unknown')}) is not a setting of {SECTION}; there are: {', '.join(_FIELDS)}")
        if value != value.strip() or _CONTROL.search(value):
            raise fail(name, "one line without blanks around it")
        if name in _RANGES:
            low, high = _RANGES[name]
            if not re.fullmatch(r"[0-9]{1,15}", value) or not low <= int(value) <= high:
                raise fail(name, f"a whole number from {low} to {high}")
            values[name] = int(value)
            continue
        if name in _CHOICES and value not in _CHOICES[name]:
            raise fail(name, " or ".join(_CHOICES[name]))
        if name in _PATTERNS and not _PATTERNS[name][0].fullmatch(value):
            raise fail(name, _PATTERNS[name][1])
        if name.endswith("endpoint_url") and not _is_base_url(value.rstrip("/")):
            raise fail(name, "http:// or https://, a host and perhaps a port, and nothing else")
        if name == "ca_bundle" and not os.path.isfile(value):
            raise fail(name, "the path of a file that is there")
        values[name] = value.rstrip("/") if name.endswith("endpoint_url") else value

    if "bucket" not in values:
        raise ConfigError(f"bucket is missing, although {', '.join(sorted(given))} of {SECTION} is set")
    pairs = (("access_key", "secret_key"), ("failover_access_key", "failover_secret_key"))
    for name, other in (*pairs, *((other, name) for name, other in pairs)):
        if name in values and other not in values:
            raise ConfigError(f"{name} is set (from {origins.get(name, 'unknown')}) without {other}; set both, or neither to use the host's own role")
    connect, read, budget = (int(values.get(name, getattr(Config, name))) for name in ("connect_timeout", "read_timeout", "op_budget"))
    if "failover_endpoint_url" in values:
        _check_failover(values, origins)
        if "read_timeout" not in values:
            # As much as leaves time for the other end point.
            values["read_timeout"] = read = max(min(read, budget // 2 - connect), 1)
        if 2 * (connect + read) > budget:
            raise ConfigError(
                f"connect_timeout and read_timeout make {connect + read} s, which must not be more than half of op_budget, {budget} s, "
                "as the other half is for failover_endpoint_url"
            )
    elif failover := sorted(name for name in values if name.startswith("failover_") and values[name] != "refuse"):
        raise ConfigError(f"{failover[0]} is set (from {origins.get(failover[0], 'unknown')}) without failover_endpoint_url; set that too, or none of them")
    if connect + read > budget:
        raise ConfigError(f"connect_timeout and read_timeout make {connect + read} s, which must not be more than op_budget, {budget} s")
    if "kms_key_id" in values and values.get("sse") != "aws:kms":
        raise ConfigError(f"kms_key_id is set (from {origins.get('kms_key_id', 'unknown')}), which is of use with aws:kms as sse only")
    if values.get("endpoint_url"):
        values.setdefault("public_endpoint_url", values["endpoint_url"])
        # A store of one's own seldom has a name for each bucket in the DNS.
        values.setdefault("addressing_style", "path")
    found = Config(**values, origins=dict(origins))  # type: ignore[arg-type]
    found = dataclasses.replace(found, routes=tuple((route, _route(found, route, settings)) for route, settings in (routes or {}).items()))
    for below in found.targets:
        for above in found.targets:
            if below.bucket == above.bucket and below.prefix.startswith(above.prefix) and _DIRECTORY.match(below.prefix, len(above.prefix)):
                raise ConfigError(f"prefix {below.prefix} looks like a directory of the contents with the prefix {above.prefix or '(none)'}: choose another")
    for route, own in found.by_route.items():
        # NGINX knows one host of the store, and there each bucket has a host of its own.
        if own.serve_mode == "x_accel" and own.bucket != found.bucket and found.addressing_style != "path":
            raise ConfigError(f"serve_mode of {SECTION}:{route} is x_accel with another bucket, which needs addressing_style path (or redirect or proxy there)")
    return found


def _check_failover(values: Mapping[str, str | int], origins: Mapping[str, str]) -> None:
    origin = origins.get("failover_endpoint_url", "unknown")
    if not values.get("endpoint_url"):
        raise ConfigError(f"failover_endpoint_url is set (from {origin}) without endpoint_url; name the first end point too, at AWS by its region's URL")
    if values["failover_endpoint_url"] == values["endpoint_url"]:
        raise ConfigError(f"failover_endpoint_url (from {origin}) is endpoint_url itself; give the URL of another store, which has copies of the contents")


def _route(config: Config, route: str, settings: Mapping[str, str]) -> Route:
    section = f"{SECTION}:{route}"
    if not keys.is_route(route):
        raise ConfigError(f"the route of the section {section} must be 1 to 12 of a-z and 0-9")
    if unknown := sorted(set(settings) - set(Route._fields)):
        raise ConfigError(f"{unknown[0]} is not a setting of {section}; there are: {', '.join(Route._fields)}")
    # As if there was nothing but this route, so that the same rules hold.
    own = parse({"bucket": config.bucket, **settings}, dict.fromkeys(settings, section))
    # A key goes with the kind of encryption that it is for.
    sse = (own.sse, own.kms_key_id) if own.sse else (config.sse, config.kms_key_id)
    given = {name: getattr(own, name) for name in ("bucket", "prefix", "serve_mode", "presign_ttl") if name in settings}
    return Route(own.storage_class or config.storage_class, *sse, **given)


def shown(settings: Config) -> list[tuple[str, str, str]]:
    """Each setting with its value, for people to look at, and where it was found ('' for a default). No secret is among the values."""
    routes = [(f"{route}: {name}", str(value), f"[{SECTION}:{route}]") for route, given in settings.routes for name, value in given._asdict().items() if value]
    return [
        (name, "********" if name in _SECRETS and getattr(settings, name) else str(getattr(settings, name)), settings.origins.get(name, "")) for name in _FIELDS
    ] + routes


def _is_base_url(value: str) -> bool:
    try:
        url = urlsplit(value)
        return (
            url.scheme in ("http", "https")
            and bool(url.hostname)
            and url.port != 0
            and url.geturl() == f"{url.scheme}://{url.netloc}"
            and "@" not in url.netloc
            and not re.search(r"[\s\\]", value)
        )
    except ValueError:  # a port that is none
        return False
