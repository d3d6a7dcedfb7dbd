"""The table of what passes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from .cases import label, schemas
from .runner import Result

HERE = Path(__file__).resolve().parent


def as_json(results: Iterable[Result], left_out: dict[str, str]) -> str:
    """Of each version how many tests passed; the reasons of the others."""
    passed = Counter(result.version for result in results if result.status == "passed")
    content = {
        "passed": dict(sorted(passed.items())),
        "left out": left_out,
        **{
            status: {result.name: result.reason for result in results if result.status == status}
            for status in ("refused", "meaningless", "failed")
        },
    }
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def table(results: list[Result], left_out: dict[str, str]) -> str:
    counts: dict[str, Counter] = {}
    for result in results:
        if result.status != "meaningless":
            counts.setdefault(result.version, Counter())[result.status] += 1
    total = Counter(result.status for result in results if result.status != "meaningless")
    whole = [version for version, count in counts.items() if count["passed"] == count.total()]
    some = [version for version, count in counts.items() if 0 < count["passed"] < count.total()]
    lines = [
        "# Versions of operators",
        "",
        f"{len(counts) + len(left_out)} versions of {len(schemas())} operators: {len(whole)} pass, "
        f"{len(some)} pass in part, {len(counts) - len(whole) - len(some)} are refused, "
        f"{len(left_out)} are not tested. "
        f"{total.total()} nodes: {total['passed']} pass, {total['refused']} are refused, {total['failed']} fail.",
        "",
        "A version is written plain where all its nodes pass, `in part` where some are refused, ~~so~~ where all are.",
        "",
        "| operator | versions | nodes | pass |",
        "|---|---|---|---|",
    ]
    for (domain, name), versions in schemas().items():
        cells, sums = [], Counter()
        for schema in versions:
            count = counts.get(label(schema))
            if count is None:
                cells.append(f"({schema.since_version})")
                continue
            sums += count
            number = str(schema.since_version)
            cells.append(
                number if count["passed"] == count.total() else f"`{number}`" if count["passed"] else f"~~{number}~~"
            )
        operator = f"{domain}.{name}" if domain else name
        lines.append(f"| {operator} | {' '.join(cells)} | {sums.total()} | {sums['passed']} |")
    for status, heading in (
        ("refused", "Refused"),
        ("meaningless", "Refused, for the operator's text gives it no meaning"),
        ("failed", "Failures"),
    ):
        reasons: dict[str, list[str]] = {}
        for result in results:
            if result.status == status:
                reasons.setdefault(_reason(result.reason), []).append(result.name)
        if reasons:
            lines += ["", f"## {heading}", ""]
            lines += [f"- {reason}: {', '.join(names)}" for reason, names in sorted(reasons.items())]
    if left_out:
        lines += ["", "## Not tested", ""]
        lines += [f"- {version}: {reason}" for version, reason in sorted(left_out.items())]
    return "\n".join(lines) + "\n"


def _reason(message: str) -> str:
    """Without the node."""
    return re.sub(r"^node '[^']*' \([^)]*\): ", "", message).replace("|", "\\|")


def write_results(folder: Path, results: list[Result], left_out: dict[str, str]) -> None:
    (folder / "results.json").write_text(as_json(results, left_out))
    (folder / "results.md").write_text(table(results, left_out))
