# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be declared of a bucket, in two forms: as the module's options have it, and as S3's API has it.

Pure functions. ``*_wanted`` takes what a person wrote, and raises :class:`Wrong` with a sentence; ``*_read`` takes an
answer of the API; both return the same canonical form, which has neither defaults nor empty values, and sorts what has
no order. ``*_sent`` makes an argument of the API from it. What an answer has that no option can say is kept under
``other``, so that it shows as a difference, and is sent again where a rule is left alone.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ (2006-03-01).
"""

from __future__ import annotations

import copy
import itertools
import json
import typing as t
from datetime import date, datetime, timezone

Rule = dict[str, t.Any]


class Wrong(ValueError):
    """A wish that cannot be; the message says why."""


def compact(value: t.Mapping[str, t.Any]) -> Rule:
    """The dictionary without what says nothing: ``None`` and empty lists, dictionaries and strings."""
    return {name: item for name, item in value.items() if item is not None and item not in ("", [], {})}


def in_order(item: Rule) -> str:
    """What to sort by where the order of a list does not count."""
    return json.dumps(item, sort_keys=True)


def by_id(option: str, rules: t.Iterable[Rule]) -> list[Rule]:
    """The rules in the order of their ids. Raises :class:`Wrong` where two have the same."""
    ordered = sorted(rules, key=lambda rule: str(rule.get("id", "")))
    for one, other in itertools.pairwise(ordered):
        if one.get("id") == other.get("id"):
            raise Wrong(f"{option}: two rules have the id {one.get('id')}")
    return ordered


def merged(current: t.Any, wanted: t.Any) -> t.Any:
    """What is there and what is wanted together, where nothing is to be purged: dictionaries by key, rules by id."""
    if isinstance(wanted, dict):
        return {**current, **wanted}
    ids = {rule.get("id") for rule in wanted}
    return sorted([rule for rule in current if rule.get("id") not in ids] + list(wanted), key=lambda rule: str(rule.get("id", "")))


# --- which objects a rule is for ------------------------------------------------------------------------------------


def filter_read(rule: Rule) -> Rule:
    """Take the filter out of a rule of the API (it has the prefix beside it in its oldest form)."""
    given = rule.pop("Filter", None) or {}
    parts = {**given, **given.get("And", {})}
    tags = [*parts.get("Tags", []), *([parts["Tag"]] if "Tag" in parts else [])]
    return {
        "prefix": parts.get("Prefix") or rule.pop("Prefix", None),
        "tags": tags_read({"TagSet": tags}),
        "size_greater_than": parts.get("ObjectSizeGreaterThan"),
        "size_less_than": parts.get("ObjectSizeLessThan"),
    }


def filter_sent(rule: Rule) -> Rule:
    parts: Rule = {}
    if rule.get("prefix"):
        parts["Prefix"] = rule["prefix"]
    if rule.get("tags"):
        parts["Tags"] = tags_sent(rule["tags"])["TagSet"]
    for name, field in (("size_greater_than", "ObjectSizeGreaterThan"), ("size_less_than", "ObjectSizeLessThan")):
        if name in rule:
            parts[field] = rule[name]
    if len(parts) > 1 or len(parts.get("Tags", [])) > 1:
        return {"And": parts}
    if "Tags" in parts:
        return {"Tag": parts["Tags"][0]}
    return parts or {"Prefix": ""}


# --- tags -----------------------------------------------------------------------------------------------------------


def tags_wanted(tags: t.Mapping[str, t.Any]) -> dict[str, str]:
    result = {str(key): "" if value is None else str(value) for key, value in tags.items()}
    if len(result) > 50:
        raise Wrong(f"tags: S3 takes 50 of them, and these are {len(result)}")
    for key, value in result.items():
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise Wrong(f"tags: {key[:140]}: a key has 1 to 128 characters, and a value at most 256")
        if key.lower().startswith("aws:"):
            raise Wrong(f"tags: {key}: keys that start with aws: are S3's own")
    return dict(sorted(result.items()))


def tags_read(answer: Rule) -> dict[str, str]:
    return dict(sorted((tag["Key"], tag.get("Value", "")) for tag in answer.get("TagSet", [])))


def tags_sent(tags: t.Mapping[str, str]) -> Rule:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


# --- lifecycle ------------------------------------------------------------------------------------------------------


def moment(option: str, value: t.Any) -> str | None:
    """Midnight UTC of a date, as S3 has it, in one spelling. Raises :class:`Wrong`."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        elif not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
    except ValueError as error:
        raise Wrong(f"{option}: {value} is no date such as 2027-01-31") from error
    value = value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)
    if (value.hour, value.minute, value.second) != (0, 0, 0):
        raise Wrong(f"{option}: {value.isoformat()} is not midnight UTC: S3 takes whole days only; give a date such as 2027-01-31")
    return value.date().isoformat()


def sent_moment(text: str) -> datetime:
    day = date.fromisoformat(text)
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)


def transitions_wanted(where: str, transitions: list[Rule] | None, noncurrent: bool) -> list[Rule]:
    result = []
    for transition in transitions or []:
        kept = compact({**transition, "date": moment(where, transition.get("date"))})
        if noncurrent and "days" not in kept:
            raise Wrong(f"{where}: a transition of former versions needs days")
        if not noncurrent and ("days" in kept) == ("date" in kept):
            raise Wrong(f"{where}: a transition needs days or date, one of them")
        result.append(kept)
    return sorted(result, key=in_order)


def lifecycle_wanted(rules: list[Rule]) -> list[Rule]:
    result = []
    for given in rules:
        where = f"lifecycle: {given['id']}"
        if len(given["id"]) > 255:
            raise Wrong(f"{where[:60]}...: an id has at most 255 characters")
        rule = {
            **given,
            "tags": tags_wanted(given.get("tags") or {}),
            "expired_delete_markers": given.get("expired_delete_markers") or None,
            "expiration_date": moment(where, given.get("expiration_date")),
            "transitions": transitions_wanted(where, given.get("transitions"), noncurrent=False),
            "noncurrent_transitions": transitions_wanted(where, given.get("noncurrent_transitions"), noncurrent=True),
        }
        rule = compact(rule)
        actions = {"expiration_days", "expiration_date", "expired_delete_markers", "noncurrent_expiration_days", "abort_uploads_days"}
        if not rule.keys() & {*actions, "transitions", "noncurrent_transitions"}:
            raise Wrong(f"{where}: it does nothing: give one of {', '.join(sorted(actions))}, noncurrent_transitions, transitions")
        if len(rule.keys() & {"expiration_days", "expiration_date", "expired_delete_markers"}) > 1:
            raise Wrong(f"{where}: of expiration_days, expiration_date and expired_delete_markers a rule has one")
        if "noncurrent_versions_kept" in rule and "noncurrent_expiration_days" not in rule:
            raise Wrong(f"{where}: noncurrent_versions_kept needs noncurrent_expiration_days")
        for name in ("expiration_days", "noncurrent_expiration_days", "noncurrent_versions_kept", "abort_uploads_days"):
            if rule.get(name, 1) < 1:
                raise Wrong(f"{where}: {name} is {rule[name]}: give 1 or more")
        if "abort_uploads_days" in rule and (rule.keys() & {"tags", "size_greater_than", "size_less_than"}):
            raise Wrong(f"{where}: abort_uploads_days goes with a prefix only: an unfinished upload has neither tags nor a size yet")
        if "size_less_than" in rule and rule["size_less_than"] <= rule.get("size_greater_than", 0) + 1:
            raise Wrong(f"{where}: no object is larger than {rule.get('size_greater_than', 0)} and smaller than {rule['size_less_than']} bytes")
        result.append(rule)
    return by_id("lifecycle", result)


def lifecycle_read(answer: Rule) -> list[Rule]:
    result = []
    for given in copy.deepcopy(answer.get("Rules", [])):
        expiration, noncurrent = given.pop("Expiration", {}), given.pop("NoncurrentVersionExpiration", {})
        rule = {
            "id": given.pop("ID", ""),
            "enabled": given.pop("Status", "Enabled") == "Enabled",
            **filter_read(given),
            "expiration_days": expiration.get("Days") or None,
            "expiration_date": moment("lifecycle", expiration.get("Date")),
            "expired_delete_markers": expiration.get("ExpiredObjectDeleteMarker") or None,
            "noncurrent_expiration_days": noncurrent.get("NoncurrentDays") or None,
            "noncurrent_versions_kept": noncurrent.get("NewerNoncurrentVersions") or None,
            "abort_uploads_days": given.pop("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
            "transitions": sorted(
                (
                    compact({"days": item.get("Days"), "date": moment("lifecycle", item.get("Date")), "storage_class": item.get("StorageClass")})
                    for item in given.pop("Transitions", [])
                ),
                key=in_order,
            ),
            "noncurrent_transitions": sorted(
                (
                    compact({"days": item.get("NoncurrentDays"), "versions_kept": item.get("NewerNoncurrentVersions"), "storage_class": item["StorageClass"]})
                    for item in given.pop("NoncurrentVersionTransitions", [])
                ),
                key=in_order,
            ),
        }
        result.append(compact({**rule, "other": given}))
    return by_id("lifecycle", result)


def lifecycle_sent(rules: list[Rule]) -> Rule:
    return {"Rules": [_lifecycle_rule(rule) for rule in rules]}


def _lifecycle_rule(rule: Rule) -> Rule:
    expiration: Rule = {}
    if "expiration_days" in rule:
        expiration["Days"] = rule["expiration_days"]
    if "expiration_date" in rule:
        expiration["Date"] = sent_moment(rule["expiration_date"])
    if "expired_delete_markers" in rule:
        expiration["ExpiredObjectDeleteMarker"] = True
    noncurrent = compact({"NoncurrentDays": rule.get("noncurrent_expiration_days"), "NewerNoncurrentVersions": rule.get("noncurrent_versions_kept")})
    abort = compact({"DaysAfterInitiation": rule.get("abort_uploads_days")})
    transitions = [
        compact({"Days": item.get("days"), "Date": sent_moment(item["date"]) if "date" in item else None, "StorageClass": item["storage_class"]})
        for item in rule.get("transitions", [])
    ]
    former = [
        compact({"NoncurrentDays": item["days"], "NewerNoncurrentVersions": item.get("versions_kept"), "StorageClass": item["storage_class"]})
        for item in rule.get("noncurrent_transitions", [])
    ]
    actions = {
        "Expiration": expiration,
        "NoncurrentVersionExpiration": noncurrent,
        "AbortIncompleteMultipartUpload": abort,
        "Transitions": transitions,
        "NoncurrentVersionTransitions": former,
    }
    return {"ID": rule["id"], "Status": status(rule["enabled"]), "Filter": filter_sent(rule), **compact(actions), **rule.get("other", {})}


def status(enabled: bool) -> str:
    return "Enabled" if enabled else "Disabled"


# --- CORS -----------------------------------------------------------------------------------------------------------

CORS = {
    "allowed_origins": "AllowedOrigins",
    "allowed_methods": "AllowedMethods",
    "allowed_headers": "AllowedHeaders",
    "expose_headers": "ExposeHeaders",
    "max_age_seconds": "MaxAgeSeconds",
    "id": "ID",
}


def cors_wanted(rules: list[Rule]) -> list[Rule]:
    """The rules in their order, which counts: the first that fits is taken."""
    result = [compact({name: sorted(set(item)) if isinstance(item, list) else item for name, item in rule.items()}) for rule in rules]
    for number, rule in enumerate(result):
        if not rule.get("allowed_origins") or not rule.get("allowed_methods"):
            raise Wrong(f"cors: rule {number + 1} needs allowed_origins and allowed_methods, neither of them empty")
        if any(origin.count("*") > 1 for origin in rule["allowed_origins"]):
            raise Wrong(f"cors: rule {number + 1}: an origin has at most one asterisk")
    return result


def cors_read(answer: Rule) -> list[Rule]:
    return cors_wanted([{name: rule.get(field) for name, field in CORS.items()} for rule in answer.get("CORSRules", [])])


def cors_sent(rules: list[Rule]) -> Rule:
    return {"CORSRules": [{CORS[name]: item for name, item in rule.items()} for rule in rules]}


# --- encryption, default retention, logging -------------------------------------------------------------------------

NONE = {"algorithm": "none"}
NO_RETENTION = {"mode": "none"}


def encryption_wanted(wish: Rule) -> Rule:
    kept = compact({**wish, "bucket_key": wish.get("bucket_key") or None})
    if kept.keys() & {"kms_key", "bucket_key"} and not kept["algorithm"].startswith("aws:kms"):
        raise Wrong(f"encryption: kms_key and bucket_key go with aws:kms, and algorithm is {kept['algorithm']}")
    return kept


def encryption_read(answer: Rule) -> Rule:
    rule = (answer.get("ServerSideEncryptionConfiguration", {}).get("Rules") or [{}])[0]
    by_default = rule.get("ApplyServerSideEncryptionByDefault", {})
    if not by_default:
        return dict(NONE)
    return compact({"algorithm": by_default["SSEAlgorithm"], "kms_key": by_default.get("KMSMasterKeyID"), "bucket_key": rule.get("BucketKeyEnabled") or None})


def encryption_sent(wish: Rule) -> Rule:
    by_default = compact({"SSEAlgorithm": wish["algorithm"], "KMSMasterKeyID": wish.get("kms_key")})
    return {"Rules": [compact({"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": wish.get("bucket_key")})]}


def retention_wanted(wish: Rule) -> Rule:
    kept = compact(wish)
    if kept["mode"] == "none":
        if len(kept) > 1:
            raise Wrong("default_retention: with the mode none there are neither days nor years")
    elif ("days" in kept) == ("years" in kept):
        raise Wrong("default_retention: give days or years, one of them")
    elif (kept.get("days") or kept.get("years") or 0) < 1:
        raise Wrong("default_retention: give 1 day or year, or more")
    return kept


def retention_read(answer: Rule) -> Rule:
    found = answer.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention")
    if not found:
        return dict(NO_RETENTION)
    return compact({"mode": found["Mode"].lower(), "days": found.get("Days") or None, "years": found.get("Years") or None})


def retention_sent(wish: Rule) -> Rule:
    retention = compact({"Mode": wish["mode"].upper(), "Days": wish.get("days"), "Years": wish.get("years")})
    return {"ObjectLockEnabled": "Enabled", **({} if wish["mode"] == "none" else {"Rule": {"DefaultRetention": retention}})}


def logging_wanted(wish: Rule) -> Rule:
    kept = compact(wish)
    if "prefix" in kept and "bucket" not in kept:
        raise Wrong("logging: prefix needs bucket, to which the logs go")
    return kept


def logging_read(answer: Rule) -> Rule:
    found = dict(answer.get("LoggingEnabled", {}))
    result = {"bucket": found.pop("TargetBucket", None), "prefix": found.pop("TargetPrefix", None), "other": found}
    return compact(result)


def logging_sent(wish: Rule) -> Rule:
    return {"LoggingEnabled": {"TargetBucket": wish["bucket"], "TargetPrefix": wish.get("prefix", "")}} if wish else {}


# --- notifications --------------------------------------------------------------------------------------------------

SERVICES = {
    "sqs": ("QueueConfigurations", "QueueArn"),
    "sns": ("TopicConfigurations", "TopicArn"),
    "lambda": ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
}


def service_of(arn: str) -> str:
    parts = arn.split(":")
    return parts[2] if len(parts) > 2 and parts[0] == "arn" and parts[2] in SERVICES else ""


def plain_arn(arn: str) -> str:
    """MinIO's ARNs come back with its region, and are taken with or without it."""
    parts = arn.split(":")
    return ":".join([*parts[:3], "", *parts[4:]]) if parts[:2] == ["arn", "minio"] else arn


def notifications_wanted(wishes: list[Rule]) -> list[Rule]:
    result = []
    for wish in wishes:
        if not service_of(wish["arn"]):
            raise Wrong(f"notifications: {wish['id']}: the arn {wish['arn']} is that of no queue (sqs), topic (sns) or function (lambda)")
        if not wish["events"]:
            raise Wrong(f"notifications: {wish['id']}: events is empty: give some, such as s3:ObjectCreated:*")
        result.append(compact({**wish, "arn": plain_arn(wish["arn"]), "events": sorted(set(wish["events"]))}))
    return by_id("notifications", result)


def notifications_read(answer: Rule) -> list[Rule]:
    result = []
    for kind, arn in SERVICES.values():
        for given in answer.get(kind, []):
            found = {rule["Name"].lower(): rule["Value"] for rule in given.get("Filter", {}).get("Key", {}).get("FilterRules", [])}
            wish = {"id": given.get("Id", ""), "arn": plain_arn(given[arn]), "events": sorted(set(given["Events"]))}
            result.append(compact({**wish, "prefix": found.get("prefix"), "suffix": found.get("suffix")}))
    return by_id("notifications", result)


def notifications_sent(wishes: list[Rule]) -> Rule:
    result: Rule = {}
    for wish in wishes:
        kind, arn = SERVICES[service_of(wish["arn"])]
        given: Rule = {"Id": wish["id"], arn: wish["arn"], "Events": wish["events"]}
        rules = [{"Name": name, "Value": wish[name]} for name in ("prefix", "suffix") if name in wish]
        if rules:
            given["Filter"] = {"Key": {"FilterRules": rules}}
        result.setdefault(kind, []).append(given)
    return result


# --- replication ----------------------------------------------------------------------------------------------------

# Switches of a rule: option, and where the API has its Status.
SWITCHES = {
    "delete_markers": ("DeleteMarkerReplication",),
    "existing_objects": ("ExistingObjectReplication",),
    "replica_modifications": ("SourceSelectionCriteria", "ReplicaModifications"),
}


def replication_wanted(rules: list[Rule], role: str) -> Rule:
    result = []
    for given in rules:
        if not given["destination"].startswith("arn:"):
            raise Wrong(f"replication: {given['id']}: destination is {given['destination']}: give an ARN, such as arn:aws:s3:::bucket")
        rule = compact({**given, "tags": tags_wanted(given.get("tags") or {}), "priority": given.get("priority") or None})
        result.append({**rule, **{name: bool(given.get(name)) for name in SWITCHES}})
    ordered = by_id("replication", result)
    seen: dict[int, str] = {}
    for rule in ordered:
        other = seen.setdefault(rule.get("priority", 0), rule["id"])
        if other != rule["id"]:
            raise Wrong(f"replication: {other} and {rule['id']} have the same priority: give each its own")
    return {"role": role, "rules": ordered} if ordered else {}


def replication_read(answer: Rule) -> Rule:
    found = copy.deepcopy(answer.get("ReplicationConfiguration", {}))
    result = []
    for given in found.get("Rules", []):
        destination = given.pop("Destination", {})
        rule = {
            "id": given.pop("ID", ""),
            "enabled": given.pop("Status", "Enabled") == "Enabled",
            "priority": given.pop("Priority", None) or None,
            **filter_read(given),
            "destination": destination.pop("Bucket", ""),
            "storage_class": destination.pop("StorageClass", None),
            **{name: switch_of(given, path) for name, path in SWITCHES.items()},
        }
        other = compact({**{name: compact(item) if isinstance(item, dict) else item for name, item in given.items()}, "Destination": destination})
        result.append({**compact(rule), **compact({"other": other})})
    return {"role": found.get("Role", ""), "rules": by_id("replication", result)} if result else {}


def switch_of(rule: Rule, path: tuple[str, ...]) -> bool:
    """Take a switch out of a rule of the API."""
    parent = rule
    for name in path[:-1]:
        parent = parent.get(name, {})
    return parent.pop(path[-1], {}).get("Status") == "Enabled"


def replication_sent(wish: Rule) -> Rule:
    rules = []
    for rule in wish["rules"]:
        sent: Rule = {
            "ID": rule["id"],
            "Status": status(rule["enabled"]),
            "Priority": rule.get("priority", 0),
            "Filter": filter_sent(rule),
            "DeleteMarkerReplication": {"Status": status(rule["delete_markers"])},
            "Destination": compact({"Bucket": rule["destination"], "StorageClass": rule.get("storage_class")}),
        }
        if rule["existing_objects"]:
            sent["ExistingObjectReplication"] = {"Status": "Enabled"}
        # Said in either case: MinIO takes silence for yes, and AWS for no.
        sent["SourceSelectionCriteria"] = {"ReplicaModifications": {"Status": status(rule["replica_modifications"])}}
        for name, item in rule.get("other", {}).items():
            sent[name] = {**sent.get(name, {}), **item} if isinstance(item, dict) else item
        rules.append(sent)
    return {"Role": wish["role"], "Rules": rules}
