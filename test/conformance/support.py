"""What the results say: results.json, the sentence in the README, and the list of what must pass."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx
import support_table
from cases import Case
from modes import MODES
from runner import Result

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PASSING = HERE / "passing.txt"
README = HERE.parent.parent / "README.md"


def operators(cases: list[Case], results: Iterable[Result]) -> dict[str, dict[str, dict[str, int]]]:
    """By mode how many cases have which status, of each operator of which all cases were run in all modes."""
    wanted = Counter(case.operator for case in cases)
    found: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        found[result.operator].append(result)
    return {
        operator: {
            mode: dict(sorted(Counter(result.status for result in found[operator] if result.mode == mode).items()))
            for mode in MODES
        }
        for operator in sorted(wanted, key=str.lower)
        if len(found[operator]) == wanted[operator] * len(MODES)
    }


def content(cases: list[Case], results: list[Result]) -> dict[str, Any]:
    """Of a complete run; the reasons of what does not pass, by status, reason and cases."""
    names: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for result in results:
        if result.status != "passed":
            names[result.status, result.reason, result.mode].append(result.name)
    modes: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (status, reason, mode), members in names.items():
        modes[status, reason, tuple(members)].append(mode)
    return {
        "onnx": onnx.__version__,
        "modes": MODES,
        "operators": operators(cases, results),
        "reasons": [
            {"status": status, "reason": reason, "modes": those, "cases": list(members)}
            for (status, reason, members), those in modes.items()
        ],
    }


def as_json(content: dict[str, Any]) -> str:
    """A line for each operator and reason."""
    parts = []
    for key, value in content.items():
        if key == "operators":
            lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in value.items()]
            text = "{\n" + ",\n".join(lines) + "\n }"
        elif key == "reasons":
            text = "[\n" + ",\n".join(f"  {json.dumps(entry)}" for entry in value) + "\n ]" if value else "[]"
        else:
            text = json.dumps(value)
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def sentence(results: list[Result]) -> str:
    """What the README says about a complete run."""
    parts = []
    for mode, meaning in MODES.items():
        counts = Counter(result.status for result in results if result.mode == mode)
        parts.append(f"{counts['passed']:,} of {counts.total() - counts['inapplicable']:,} {meaning}")
    failed = sum(result.status == "failed" for result in results)
    return (
        f"Of ONNX's own backend tests pass {', '.join(parts[:-1])}, and {parts[-1]}; {failed or 'none'} "
        f"{'fail' if failed > 1 else 'fails'}, the others are refused with a reason: "
        "[operator by operator](test/support.md)."
    )


def guarded() -> set[tuple[str, str]]:
    """The cases and modes that must pass: a line is a case's name, and the modes if not all."""
    lines = [line.split() for line in PASSING.read_text().splitlines()]
    return {(name, mode) for name, *modes in lines for mode in modes or MODES}


def update(cases: list[Case], results: list[Result]) -> None:
    """After a complete run: writes the results, the table that is made of them and the README's sentence, and adds what
    passes to what must."""
    RESULTS.write_text(as_json(content(cases, results)))
    support_table.write()
    README.write_text(re.sub(r"^Of ONNX's own backend tests .*$", sentence(results), README.read_text(), flags=re.M))
    known = guarded() | {(r.name, r.mode) for r in results if r.status in ("passed", "inapplicable")}
    lines = []
    for case in cases:
        modes = [mode for mode in MODES if (case.name, mode) in known]
        if modes:
            lines.append(" ".join([case.name, *modes]) if len(modes) < len(MODES) else case.name)
    PASSING.write_text("\n".join(lines) + "\n")
