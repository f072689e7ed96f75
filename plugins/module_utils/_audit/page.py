# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as a page of HTML that needs nothing but itself."""

from __future__ import annotations

import html
import typing as t

from ansible_collections.odooops.stack.plugins.module_utils._audit.finding import Facts

STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 0.3em 0 1em } td, th { border: 1px solid #bbb; padding: 0.25em 0.6em; text-align: left; vertical-align: top }
th { background: #eee } .critical { background: #f5b7b1 } .high { background: #fad7a0 } .medium { background: #fcf3cf } .low { background: #eaf2f8 }
"""


def page(report: Facts) -> str:
    """The report of :func:`review.review`, with ``instance`` beside it."""
    title = f"Audit of {report['instance']}"
    counts = ", ".join(f"{count} {severity}" for severity, count in report["counts"].items() if count) or "no findings"
    parts = [
        f"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>",
        f"<h1>{escape(title)}</h1><p>{escape(report['time'])}: {escape(counts)}; {verdict(report)}.</p>",
    ]
    if report["findings"]:
        parts.append(f"<h2>Findings</h2>{findings(report['findings'])}")
    if report["accepted"]:
        parts.append(f"<h2>Accepted</h2>{findings(report['accepted'])}")
    if report["accepted_in_vain"]:
        parts.append(f"<p>Accepted, and not found any more: {escape(', '.join(report['accepted_in_vain']))}.</p>")
    parts.append("<h2>What was seen</h2>")
    for host, areas in report["seen"].items():
        parts += [f"<h3>{escape(host)}: {escape(name)}</h3>{shown(content)}" for area in areas.values() for name, content in area.items()]
    return "\n".join(parts) + "\n"


def verdict(report: Facts) -> str:
    if report["fail_on"] == "never":
        return "the audit never fails"
    return f"the audit {'failed' if report['failed'] else 'passed'} (it fails from {escape(report['fail_on'])} on)"


def findings(found: t.Sequence[Facts]) -> str:
    rows = [
        f"<tr class={escape(each['severity'])}><td>{escape(each['severity'])}<td>{escape(each['host'])}<td>{escape(each['what'])}"
        f"<br><i>{escape(each['why'])}</i><td>{escape(each['todo'])}<td><code>{escape(each['check'])} {escape(each['subject'])}</code>"
        for each in found
    ]
    return f"<table><tr><th>Severity<th>Host<th>What was found, and why it matters<th>What to do<th>Name{''.join(rows)}</table>"


def shown(value: t.Any) -> str:
    """Any value: a list of dictionaries as a table, all else as it reads."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        columns = list(dict.fromkeys(key for each in value for key in each))
        head = "".join(f"<th>{escape(column)}" for column in columns)
        rows = "".join("<tr>" + "".join(f"<td>{shown(each.get(column, ''))}" for column in columns) for each in value)
        return f"<table><tr>{head}{rows}</table>"
    if isinstance(value, list):
        return "<br>".join(shown(each) for each in value) or "none"
    if isinstance(value, dict):
        return "<br>".join(f"{escape(key)}: {shown(each)}" for key, each in value.items()) or "none"
    words: dict[t.Any, str] = {True: "yes", False: "no", None: ""}
    return words[value] if value is None or isinstance(value, bool) else escape(value)


def escape(value: object) -> str:
    return html.escape(str(value))
