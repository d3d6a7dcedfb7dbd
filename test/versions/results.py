"""What came of the tests, as results.json keeps it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .cases import NodeTest, type_name
from .runner import Result

HERE = Path(__file__).resolve().parent


def content(tests: Iterable[NodeTest], results: list[Result], left_out: dict[str, str]) -> dict[str, Any]:
    """Of each version how many nodes pass, and with which element types; the reasons of the others."""
    found = {result.name: result for result in results}
    versions: dict[str, dict[str, Any]] = {}
    for test in tests:
        result = found[test.name]
        if result.status == "meaningless":
            continue
        version = versions.setdefault(test.version, {"nodes": 0, "passed": 0, "types": []})
        version["nodes"] += 1
        if result.status == "passed":
            version["passed"] += 1
            if type_name(test.type) not in version["types"]:
                version["types"].append(type_name(test.type))
    return {
        "versions": versions,
        "left out": left_out,
        **{
            status: {result.name: _reason(result.reason) for result in results if result.status == status}
            for status in ("refused", "meaningless", "failed")
        },
    }


def _reason(message: str) -> str:
    """Without the node."""
    return re.sub(r"^node '[^']*' \([^)]*\): ", "", message).replace("|", "\\|")


def as_json(content: dict[str, Any]) -> str:
    """A line for each version."""
    parts = []
    for key, entries in content.items():
        lines = [f"  {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}" for name, entry in entries.items()]
        parts.append(f" {json.dumps(key)}: {{\n" + ",\n".join(lines) + "\n }" if lines else f" {json.dumps(key)}: {{}}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write_results(folder: Path, tests: Iterable[NodeTest], results: list[Result], left_out: dict[str, str]) -> None:
    (folder / "results.json").write_text(as_json(content(tests, results, left_out)))
