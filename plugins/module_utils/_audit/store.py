# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users, groups, access keys, policies and buckets of the object store.

Seen: ``root`` (the root user's name), ``users``, ``groups``, ``access_keys``, ``policies`` and ``buckets`` as the ``_info`` modules
return them, and ``records``: when the server last wrote each access key, as ``{"key", "written"}`` (seconds since 1970).
Declared: ``users``, ``groups``, ``policies``, ``access_keys`` and ``buckets`` as the role minio takes them, without secrets, and ``former``: the
access key that a rotation has replaced and not deleted yet, else empty.
"""

from __future__ import annotations

import typing as t
from datetime import datetime

from ansible_collections.odooops.stack.plugins.module_utils._audit.finding import Area, Facts, Finding, days, joined, moment, named
from ansible_collections.odooops.stack.plugins.module_utils._policy_scope import anonymous, compare, is_administrator, words

# What comes with the server.
BUILT_IN = {"consoleAdmin", "diagnostics", "readonly", "readwrite", "writeonly"}


def through(user: Facts, groups: t.Iterable[Facts]) -> list[str]:
    """The names of the policies that a user has, by itself and by its groups."""
    of_groups = [policy for group in groups if group["enabled"] and user["name"] in group["members"] for policy in group["policies"]]
    return sorted({*user["policies"], *of_groups})


def documents(names: t.Iterable[str], seen: Facts) -> list[Facts]:
    policies = named(seen["policies"])
    return [policies[name]["policy"] for name in names if name in policies]


def users(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Users that are not declared, or that have more than is declared."""
    wanted = named(declared["users"])
    for user in seen["users"]:
        name = user["name"]
        if name in wanted:
            yield from more_policies("user", user, wanted[name])
            continue
        policies = through(user, seen["groups"])
        rights = f"has {joined(policies)}" if policies else "has no policy"
        severity = "high" if policies else "medium"
        if is_administrator(documents(policies, seen)):
            severity, rights = "critical", f"is an administrator by {joined(policies)}"
        if not user["enabled"]:
            severity, rights = "low", f"{rights}, but is disabled"
        yield Finding(
            severity,
            "user_unknown",
            name,
            f"The object store has the user {name}, which the inventory does not declare and which {rights}.",
            "Nobody watches over a user that is written down nowhere, and its secret outlives whoever made it.",
            f"Remove it (minio_user with state absent), or accept it in audit_accepted as user_unknown {name}.",
        )
    gone = set(wanted) - set(named(seen["users"]))
    yield from missing("user", gone, "medium", "Keys that belong to it cannot work.", "Run the playbook site.")


def missing(words: str, names: t.Iterable[str], severity: str, why: str, todo: str) -> t.Iterator[Finding]:
    """What is declared and not there, each by its name; ``words`` says what it is, and the last of them is in the finding's name."""
    check = f"{words.rsplit(maxsplit=1)[-1]}_missing"
    for name in sorted(names):
        yield Finding(severity, check, name, f"The object store lacks the {words} {name}, which the inventory declares.", why, todo)


def more_policies(kind: str, one: Facts, wanted: Facts) -> t.Iterator[Finding]:
    """Policies that a declared user or group has beyond those declared."""
    name, more = one["name"], sorted(set(one["policies"]) - set(wanted.get("policies") or []))
    if more:
        yield Finding(
            "high",
            f"{kind}_policies",
            name,
            f"The {kind} {name} has {joined(more)} attached, which the inventory does not declare.",
            "It may do more than its work needs, and so may whoever steals its key.",
            f"Detach it (minio_{kind} with policies and purge_policies), or declare it.",
        )


def groups(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Groups that are not declared, or have more members or policies than is declared."""
    wanted = named(declared["groups"])
    for group in seen["groups"]:
        name = group["name"]
        if name not in wanted:
            powerful = is_administrator(documents(group["policies"], seen))
            yield Finding(
                "low" if not group["enabled"] or not group["policies"] else "critical" if powerful and group["members"] else "high",
                "group_unknown",
                name,
                f"The object store has the group {name}, which the inventory does not declare, with the policies {joined(group['policies']) or 'none'} "
                f"and the members {joined(group['members']) or 'none'}.",
                "Its members have rights that are written down nowhere.",
                f"Remove it (minio_group with state absent), or accept it in audit_accepted as group_unknown {name}.",
            )
            continue
        yield from more_policies("group", group, wanted[name])
        more = sorted(set(group["members"]) - set(wanted[name].get("members") or []))
        if more:
            yield Finding(
                "high",
                "group_members",
                name,
                f"The group {name} has {joined(more)} among its members, which the inventory does not declare.",
                "They have all rights of the group.",
                "Take them out (minio_group with members and purge_members), or declare them.",
            )


def access_keys(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Access keys that are not declared or belong to somebody else."""
    wanted = named(declared["access_keys"], "key")
    for key in seen["access_keys"]:
        name, owner = key["key"], key["user"]
        if owner == seen["root"]:
            yield Finding(
                "high",
                "key_of_root",
                name,
                f"The access key {name} belongs to the root user of the object store.",
                "Without a policy of its own it may do everything, and no policy that others set can hold it back.",
                "Make a user with a policy of its own and give it a key, then remove this one (minio_access_key with state absent).",
            )
        elif name not in wanted:
            yield Finding(
                "high" if key["enabled"] else "low",
                "key_unknown",
                name,
                f"The user {owner} has the access key {name}, which the inventory does not declare{'' if key['enabled'] else ' and which is disabled'}.",
                "A forgotten key opens the bucket to whoever still has it, and is changed by no rotation.",
                f"Remove it (minio_access_key with state absent), or accept it in audit_accepted as key_unknown {name}.",
            )
        elif owner != wanted[name].get("user", owner):
            yield Finding(
                "high",
                "key_owner",
                name,
                f"The access key {name} belongs to {owner}, where the inventory declares {wanted[name]['user']}.",
                "It has the rights of another user than those that were thought of.",
                "Remove it and run the playbook site.",
            )
        elif name == declared["former"]:
            yield Finding(
                "medium",
                "key_former",
                name,
                f"The access key {name} was replaced by a rotation, which has not ended.",
                "It still opens the bucket.",
                "Run the playbook rotate_keys again, which goes on where it was.",
            )
    gone = set(wanted) - set(named(seen["access_keys"], "key"))
    yield from missing("access key", gone, "medium", "Odoo cannot reach its attachments with it.", "Run the playbook site.")


def old_keys(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Access keys that have been the same for too long."""
    there = named(seen["access_keys"], "key")
    for record in seen["records"]:
        age = days(bounds["now"] - record["written"])
        if record["key"] in there and age > bounds["key_days"]:
            yield Finding(
                "medium",
                "key_old",
                record["key"],
                f"The access key {record['key']} has been the same for {age} days, and {bounds['key_days']} are allowed (audit_key_days).",
                "The longer a key lives, the more copies of it are in backups, logs and heads.",
                "Replace it by a new one, and remove it when nothing uses it any more.",
            )


def ending_keys(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Access keys that end soon, or have ended."""
    for key in seen["access_keys"]:
        if key["expiration"] == "never" or not key["enabled"]:
            continue
        left = days(datetime.fromisoformat(key["expiration"].replace("Z", "+00:00")).timestamp() - bounds["now"])
        if left < bounds["certificate_days"]:
            yield Finding(
                "high",
                "key_ends",
                key["key"],
                f"The access key {key['key']} of the user {key['user']} {'has ended' if left < 0 else f'ends in {left} days'} ({key['expiration']}).",
                "Whatever works with it stops then.",
                "Replace it before (docs/rotate.md), or remove it where nothing uses it.",
            )


def policies(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Policies that say something else than is declared, and those that are not declared."""
    wanted = named(declared["policies"])
    attached = {name for one in [*seen["users"], *seen["groups"]] for name in one["policies"]}
    for policy in seen["policies"]:
        name = policy["name"]
        if name in wanted:
            yield from changed_policy(name, policy["policy"], wanted[name]["policy"])
        elif name not in BUILT_IN:
            yield Finding(
                "medium" if name in attached else "low",
                "policy_unknown",
                name,
                f"The object store has the policy {name}, which the inventory does not declare{'' if name in attached else ' and nobody has'}.",
                "What it allows was agreed with nobody.",
                f"Remove it (minio_policy with state absent), or accept it in audit_accepted as policy_unknown {name}.",
            )
    gone = set(wanted) - set(named(seen["policies"]))
    yield from missing("policy", gone, "medium", "Whoever should have it may do nothing.", "Run the playbook site.")


def changed_policy(name: str, policy: Facts, wanted: Facts) -> t.Iterator[Finding]:
    scope = compare(policy, wanted)
    if scope.kind == "wider":
        yield Finding(
            "high",
            "policy_wider",
            name,
            f"The policy {name} is wider than declared: {joined(scope.more)}.",
            "Whoever has it may do more than was agreed, and so may a thief of a key.",
            "Run the playbook site, which writes the declared one, or declare what is needed.",
        )
    elif scope.kind == "narrower":
        yield Finding(
            "low",
            "policy_narrower",
            name,
            f"The policy {name} is narrower than declared.",
            "Odoo may lack a right that it needs.",
            "Run the playbook site, which writes the declared one.",
        )
    elif scope.kind == "different":
        yield Finding(
            "high",
            "policy_different",
            name,
            f"The policy {name} differs from the declared one in conditions or exceptions.",
            "Whether it allows more has to be read by a person.",
            "Run the playbook site, which writes the declared one.",
        )


def buckets(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Buckets that anybody reaches, that are not declared, or that do not keep or encrypt what they should."""
    wanted = named(declared["buckets"])
    for bucket in seen["buckets"]:
        name = bucket["name"]
        actions, conditional = anonymous(bucket["policy"]) if bucket.get("policy") else ([], False)
        if actions:
            yield Finding(
                "high" if conditional else "critical",
                "bucket_public",
                name,
                f"The bucket {name} lets anybody do {joined(actions)} without a signature{', under a condition' if conditional else ''}.",
                "Odoo's attachments are private: whoever may see one is decided by Odoo.",
                "Remove the bucket's policy (s3_bucket with an empty policy).",
            )
        if name not in wanted:
            yield Finding(
                "medium",
                "bucket_unknown",
                name,
                f"The object store has the bucket {name}, which the inventory does not declare.",
                "Nobody watches over it, and it may fill the drives.",
                f"Remove it (s3_bucket with state absent), or accept it in audit_accepted as bucket_unknown {name}.",
            )
            continue
        if wanted[name].get("versioning") == "enabled" and bucket.get("versioning") != "enabled":
            yield Finding(
                "high",
                "bucket_unversioned",
                name,
                f"The bucket {name} keeps no former versions, which the inventory declares.",
                "What is deleted or overwritten, by mistake or by malice, is lost.",
                "Run the playbook site, which enables versioning again.",
            )
        if not encrypts(bucket) and (encrypts(wanted[name]) or bounds["require_encryption"]):
            yield Finding(
                "high",
                "bucket_unencrypted",
                name,
                f"The bucket {name} does not encrypt its objects.",
                "Whoever gets hold of a drive, or of a copy of it, reads all attachments.",
                "Give the bucket an encryption (s3_bucket), or set audit_require_encryption to false where the drives themselves are encrypted.",
            )
    gone = set(wanted) - set(named(seen["buckets"]))
    yield from missing("bucket", gone, "high", "Odoo's attachments cannot be read.", "Find out where it is, before anything else is done.")


def encrypts(bucket: Facts) -> bool:
    return (bucket.get("encryption") or {}).get("algorithm", "none") != "none"


def show(seen: Facts) -> dict[str, t.Any]:
    """The review: who may do what, and each key with its age."""
    written = {record["key"]: record["written"] for record in seen["records"]}
    people = [
        {
            "user": user["name"],
            "enabled": user["enabled"],
            "policies": through(user, seen["groups"]),
            "may": [line for document in documents(through(user, seen["groups"]), seen) for line in words(document)],
        }
        for user in seen["users"]
    ]
    keys = [
        {
            **{name: key[name] for name in ("key", "user", "enabled", "description", "expiration")},
            "own policy": words(key["policy"]) if key.get("policy") else "none",
            "written": moment(written[key["key"]]) if key["key"] in written else "not known",
            "last use": "not told by the server",
        }
        for key in seen["access_keys"]
    ]
    stores = [
        {
            "bucket": bucket["name"],
            "versioning": bucket.get("versioning", "not known"),
            "encryption": bucket.get("encryption", "not known"),
            "policy": words(bucket["policy"]) if bucket.get("policy") else "none",
        }
        for bucket in seen["buckets"]
    ]
    return {"root user": seen["root"], "users": people, "groups": list(seen["groups"]), "access keys": keys, "buckets": stores}


AREA = Area((users, groups, access_keys, old_keys, ending_keys, policies, buckets), show)
