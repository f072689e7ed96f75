# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy documents: one spelling for all that mean the same."""

from __future__ import annotations

import json
import re
import typing as t

VERSION = "2012-10-17"
# What a document without a version is, by the policy language.
OLD_VERSION = "2008-10-17"

_NAMES = {"Action", "NotAction", "Resource", "NotResource"}
_PRINCIPALS = {"Principal", "NotPrincipal"}
_ACCOUNT = re.compile(r"\d{12}")


class PolicyError(ValueError):
    """A document that is no policy; the message says what is wrong with it."""


def canonical(document: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The one spelling of a policy: two documents mean the same when theirs are equal.

    Neither the order of statements, actions, resources and condition values matters, nor whether a single one stands
    in a list, nor ``*`` for ``{"AWS": "*"}``, an account's number for its root ARN, numbers and truth values for the
    strings that a server makes of them, several asterisks in a row for one, or an empty Sid.
    """
    result: dict[str, t.Any] = {"Version": document.get("Version") or OLD_VERSION}
    if document.get("Id"):
        result["Id"] = document["Id"]
    unknown = set(document) - {"Version", "Id", "Statement"}
    if unknown:
        raise PolicyError(f"a policy has Version, Id and Statement, and not {', '.join(sorted(map(str, unknown)))}")
    statements = [_statement(statement) for statement in _statements(document)]
    result["Statement"] = _unique(statements)
    return result


def same(one: t.Mapping[str, t.Any] | None, other: t.Mapping[str, t.Any] | None) -> bool:
    """Whether two policies mean the same; ``None`` (no policy) only means the same as ``None``."""
    if one is None or other is None:
        return one is other
    return canonical(one) == canonical(other)


def for_minio(document: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The policy as MinIO takes it: it wants a version, and a list of statements."""
    return {**document, "Version": document.get("Version") or VERSION, "Statement": list(_statements(document))}


def _statements(document: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    statements = _listed(document.get("Statement"))
    if not statements or not all(isinstance(statement, dict) for statement in statements):
        raise PolicyError("a policy needs a Statement, which is a dictionary or a list of dictionaries")
    return statements


def _statement(statement: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"the Effect of a statement is Allow or Deny, not {statement.get('Effect')!r}")
    result: dict[str, t.Any] = {}
    for name, value in statement.items():
        if name in _NAMES:
            names = _unique([re.sub(r"\*{2,}", "*", str(item)) for item in _listed(value)])
            if names:
                result[name] = names
        elif name in _PRINCIPALS:
            result[name] = _principal(value)
        elif name == "Condition":
            condition = _condition(value)
            if condition:
                result[name] = condition
        elif not (name == "Sid" and not value):
            result[name] = value
    return result


def _principal(value: t.Any) -> dict[str, list[str]]:
    kinds = value if isinstance(value, dict) else {"AWS": value}
    return {
        kind: _unique([f"arn:aws:iam::{item}:root" if kind == "AWS" and _ACCOUNT.fullmatch(str(item)) else str(item) for item in _listed(names)])
        for kind, names in kinds.items()
    }


def _condition(value: t.Any) -> dict[str, dict[str, list[str]]]:
    if not isinstance(value, dict) or not all(isinstance(keys, dict) for keys in value.values()):
        raise PolicyError("a Condition is a dictionary of operators, each with a dictionary of keys and their values")
    return {operator: {key: _unique([_scalar(item) for item in _listed(items)]) for key, items in keys.items()} for operator, keys in value.items() if keys}


def _scalar(value: t.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _listed(value: t.Any) -> list[t.Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _unique(items: list[t.Any]) -> list[t.Any]:
    by_text = {json.dumps(item, sort_keys=True, default=str): item for item in items}
    return [by_text[text] for text in sorted(by_text)]
