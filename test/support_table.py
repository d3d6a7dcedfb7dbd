"""The support table, support.md: what the complete runs of conformance/ and versions/ wrote to their results.json."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TABLE = HERE / "support.md"
VERSIONS = HERE / "versions" / "results.json"
CONFORMANCE = HERE / "conformance" / "results.json"

# Names of families of element types, where all of one pass.
FAMILIES = {
    "floats": ["float16", "bfloat16", "float32", "float64"],
    "float8": ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"],
    "float6": ["float6_e2m3fn", "float6_e3m2fn"],
    "ints": ["int8", "int16", "int32", "int64"],
    "uints": ["uint8", "uint16", "uint32", "uint64"],
    "4-bit ints": ["int4", "uint4"],
    "2-bit ints": ["int2", "uint2"],
    "complex": ["complex64", "complex128"],
}


def write() -> None:
    TABLE.write_text(current())


def current() -> str:
    """What the page must be."""
    return table(json.loads(VERSIONS.read_text()), json.loads(CONFORMANCE.read_text()))


def table(versions: dict[str, Any], conformance: dict[str, Any]) -> str:
    modes = conformance["modes"]
    lines = [
        "# Operators that are supported",
        "",
        f"Of the package onnx {conformance['onnx']}: every version of every operator with every element type of its "
        "main operand ([versions](versions)), and onnx's backend cases in three modes ([conformance](conformance)).",
        "`run.py --update` of either writes this page.",
        "",
        *_totals(versions, conformance),
        "",
        "A version is plain where all its nodes pass, `in part` where some are refused, ~~so~~ where all are, and in "
        "parentheses where no model can have it. The element types are those of passing nodes, named by family where "
        "all of it pass: " + ", ".join(f"{name} ({' '.join(kinds)})" for name, kinds in FAMILIES.items()) + ".",
        "A mode has the cases that pass, or **how many of how many**; `-` where onnx has no case.",
        "",
        f"| operator | versions | element types | nodes | {' | '.join(modes)} |",
        f"|---|---|---|---|{'---|' * len(modes)}",
    ]
    cases = conformance["operators"]
    by_operator: dict[str, list[str]] = {}
    for version in (*versions["versions"], *versions["left out"]):
        by_operator.setdefault(_operator(version), []).append(version)
    for operator in sorted(by_operator, key=str.lower):
        members = sorted(by_operator[operator], key=_number)
        results = [versions["versions"][version] for version in members if version in versions["versions"]]
        nodes = _of(sum(result["passed"] for result in results), sum(result["nodes"] for result in results))
        counts = [_count(cases.get(operator, {}).get(mode)) for mode in modes]
        marks = " ".join(_mark(version, versions) for version in members)
        lines.append(f"| {operator} | {marks} | {_types(results)} | {nodes} | {' | '.join(counts)} |")
    others = sorted(set(cases) - set(by_operator))
    if others:
        lines += ["", "Cases that are models of several operators:", ""]
        lines += [f"| models | {' | '.join(modes)} |", f"|---|{'---|' * len(modes)}"]
        lines += [f"| {name} | {' | '.join(_count(cases[name].get(mode)) for mode in modes)} |" for name in others]
    for status, title in (
        ("failed", "Failed"),
        ("refused", "Refused"),
        ("meaningless", "Refused, for the operator's text gives it no meaning"),
    ):
        lines += _section(title, _by_reason(versions[status]) + _cases(conformance, status))
    lines += _section("Modes that do not apply", _cases(conformance, "inapplicable"))
    lines += _section("Not tested", [f"- {name}: {why}" for name, why in sorted(versions["left out"].items())])
    return "\n".join(lines) + "\n"


def _totals(versions: dict[str, Any], conformance: dict[str, Any]) -> list[str]:
    results = versions["versions"]
    whole = sum(result["passed"] == result["nodes"] for result in results.values())
    none = sum(result["passed"] == 0 for result in results.values())
    lines = [
        "| | all | pass | refused | fail | |",
        "|---|---|---|---|---|---|",
        f"| versions of operators | {len(results)} | {whole} | {none} | | {len(results) - whole - none} in part, "
        f"{len(versions['left out'])} more not tested |",
        f"| nodes of these, in every type | {sum(r['nodes'] for r in results.values())} | "
        f"{sum(r['passed'] for r in results.values())} | {len(versions['refused'])} | {len(versions['failed'])} | "
        f"{len(versions['meaningless'])} more have no meaning |",
    ]
    for mode, meaning in conformance["modes"].items():
        counts = Counter()
        for operator in conformance["operators"].values():
            counts.update(operator.get(mode, {}))
        lines.append(
            f"| backend cases {meaning} ({mode}) | {counts.total()} | {counts['passed']} | {counts['refused']} | "
            f"{counts['failed']} | {counts['inapplicable']} do not apply |"
        )
    return lines


def _operator(version: str) -> str:
    return version.rpartition("-")[0]


def _number(version: str) -> int:
    return int(version.rpartition("-")[2])


def _mark(version: str, versions: dict[str, Any]) -> str:
    number, result = str(_number(version)), versions["versions"].get(version)
    if not result:
        return f"({number})"
    if result["passed"] == result["nodes"]:
        return number
    return f"`{number}`" if result["passed"] else f"~~{number}~~"


def _types(results: list[dict[str, Any]]) -> str:
    found = {kind for result in results for kind in result["types"]}
    names = []
    for family, members in FAMILIES.items():
        if found.issuperset(members):
            names.append(family)
            found -= set(members)
        else:
            names += [kind for kind in members if kind in found]
            found -= set(members)
    return ", ".join([*names, *sorted(found)])


def _count(counts: dict[str, int] | None) -> str:
    if not counts:
        return "-"
    applicable = sum(counts.values()) - counts.get("inapplicable", 0)
    return _of(counts.get("passed", 0), applicable) if applicable else "-"


def _of(passed: int, total: int) -> str:
    return str(total) if passed == total else f"**{passed} of {total}**"


def _by_reason(reasons: dict[str, str]) -> list[str]:
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(name)
    return [f"- {reason}: {', '.join(members)}" for reason, members in sorted(names.items())]


def _cases(conformance: dict[str, Any], status: str) -> list[str]:
    entries = [entry for entry in conformance["reasons"] if entry["status"] == status]
    return sorted(
        f"- {', '.join(entry['modes'])}: {entry['reason']}: {', '.join(f'`{case}`' for case in entry['cases'])}"
        for entry in entries
    )


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []
