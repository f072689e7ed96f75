# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a policy reaches, against another one."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.odooops.stack.plugins.module_utils._policy import canonical, same

Statement = t.Mapping[str, t.Any]

# Rights by which whoever has them can give himself all others.
_POWERS = {"admin:createuser", "admin:createpolicy", "admin:attachuserorgrouppolicy", "admin:createserviceaccount", "admin:addusertogroup"}


@dataclass(frozen=True)
class Scope:
    """How a policy relates to another one.

    ``kind`` is ``same``; ``narrower``: it allows nothing that the other one does not; ``wider``: it does, or lacks one of
    its denials; ``different``: which of these holds cannot be told, as conditions or exceptions differ. ``more`` has what is wider, in words.
    """

    kind: str
    more: list[str] = field(default_factory=list)


def compare(policy: Statement, other: Statement) -> Scope:
    """How ``policy`` relates to ``other``; both are policy documents. Raises :class:`PolicyError` for what is none."""
    if same(policy, other):
        return Scope("same")
    ours, theirs = canonical(policy)["Statement"], canonical(other)["Statement"]
    more: list[str] = []
    unclear = False
    # What it allows has to be allowed by the other one, and what the other one denies has to be denied by it.
    for effect, mine, others, verb in (("Allow", ours, theirs, "allows"), ("Deny", theirs, ours, "no longer denies")):
        covering = [each for each in others if each["Effect"] == effect]
        for statement in (each for each in mine if each["Effect"] == effect):
            for words, how in _uncovered(statement, covering):
                if how == "wider":
                    more.append(f"it {verb} {words}")
                else:
                    unclear = True
    if more:
        return Scope("wider", more)
    return Scope("different" if unclear else "narrower")


def is_administrator(documents: t.Iterable[Statement]) -> bool:
    """Whether somebody with these policies may do everything, or give himself the right to."""
    for document in documents:
        for statement in canonical(document)["Statement"]:
            if statement["Effect"] != "Allow":
                continue
            actions = [str(action).lower() for action in statement.get("Action", [])]
            if "*" in actions or "admin:*" in actions or _POWERS & set(actions):
                return True
            if "s3:*" in actions and any(_covers(resource, "arn:aws:s3:::*") for resource in statement.get("Resource", [])):
                return True
    return False


def anonymous(document: Statement) -> tuple[list[str], bool]:
    """What a bucket policy lets people do who have not signed: the actions, and whether that is under a condition.

    No actions where nobody is let in, or where a denial without signature holds against all.
    """
    open_to_all: list[str] = []
    conditional = True
    for statement in canonical(document)["Statement"]:
        principals = statement.get("Principal", {})
        condition = statement.get("Condition", {})
        everybody = "NotPrincipal" in statement or any("*" in names for names in principals.values())
        if statement["Effect"] == "Allow" and everybody:
            open_to_all += statement.get("Action", ["all but " + ", ".join(statement.get("NotAction", []))])
            conditional = conditional and bool(condition)
        elif statement["Effect"] == "Deny" and everybody and "*" in [str(each).removeprefix("s3:") for each in statement.get("Action", [])]:
            types = {key.lower(): values for keys in condition.values() for key, values in keys.items()}
            if types == {"aws:principaltype": ["Anonymous"]}:
                return [], False
    return sorted(set(open_to_all)), bool(open_to_all) and conditional


def words(document: Statement) -> list[str]:
    """The statements of a policy as sentences for a reader."""
    return [f"{statement['Effect']} {_phrase(statement)}" for statement in canonical(document)["Statement"]]


def _phrase(statement: Statement) -> str:
    """What a statement is about, as in "s3:GetObject on arn:aws:s3:::odoo/* under a condition"."""
    actions = ", ".join(statement.get("Action", [])) or "all but " + ", ".join(statement.get("NotAction", []))
    resources = ", ".join(statement.get("Resource", [])) or "the server"
    if "NotResource" in statement:
        resources = "all but " + ", ".join(statement["NotResource"])
    return f"{actions} on {resources}{' under a condition' if 'Condition' in statement else ''}"


def _uncovered(statement: Statement, by: list[Statement]) -> t.Iterator[tuple[str, str]]:
    """What of a statement none of the others covers, in words, each with ``wider``, or ``different`` where it cannot be told."""
    if statement in by:
        return
    if "Action" not in statement or {"NotResource", "NotPrincipal"} & set(statement):
        # All but something is nearly everything, unless it is what was declared.
        yield _phrase(statement), "wider" if statement["Effect"] == "Allow" else "different"
        return
    exceptions = any({"NotAction", "NotResource", "NotPrincipal"} & set(each) for each in by)
    resources = statement.get("Resource") or [""]
    for action in statement["Action"]:
        for resource in resources:
            candidates = [each for each in by if _reaches(each, action, resource, statement)]
            if any(each.get("Condition", {}) in ({}, statement.get("Condition", {})) for each in candidates):
                continue
            # Without a condition it reaches further than one that has some; of two conditions nobody can tell here.
            unclear = exceptions or (candidates and "Condition" in statement)
            yield f"{action} on {resource}" if resource else action, "different" if unclear else "wider"


def _reaches(general: Statement, action: str, resource: str, statement: Statement) -> bool:
    if not any(_covers(str(each).lower(), action.lower()) for each in general.get("Action", [])):
        return False
    if resource and not any(_covers(each, resource) for each in general.get("Resource", [])):
        return False
    if "Principal" not in statement:
        return True
    ours, theirs = statement["Principal"], general.get("Principal", {})
    return all(set(names) <= set(theirs.get(kind, [])) or "*" in theirs.get(kind, []) for kind, names in ours.items())


def _covers(general: str, special: str) -> bool:
    """Whether all that the pattern ``special`` stands for is in the pattern ``general``."""
    pattern = "".join(".*" if character == "*" else "[^*]" if character == "?" else re.escape(character) for character in general)
    return re.fullmatch(pattern, special, re.DOTALL) is not None
