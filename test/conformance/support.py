"""What the results say: the support table, the sentence in the README, and the list of what must pass."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import onnx
from cases import Case
from modes import MODES
from runner import Result

HERE = Path(__file__).resolve().parent
TABLE = HERE / "support.md"
PASSING = HERE / "passing.txt"
README = HERE.parent.parent / "README.md"


def rows(cases: list[Case], results: Iterable[Result]) -> dict[str, str]:
    """A line for each operator of which all cases were run in all modes."""
    by_operator: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_operator[case.operator].append(case)
    found: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        found[result.operator].append(result)
    lines = {}
    for operator in sorted(by_operator, key=str.lower):
        if len(found[operator]) == len(by_operator[operator]) * len(MODES):
            passed = {result.name for result in found[operator] if result.status == "passed"}
            members = [case for case in by_operator[operator] if case.name in passed]
            cells = [operator, _versions(members, operator), _types(members)]
            cells += [_count(result for result in found[operator] if result.mode == mode) for mode in MODES]
            lines[operator] = f"| {' | '.join(cells)} |"
    return lines


def _versions(cases: list[Case], operator: str) -> str:
    """Which of the operator's versions the cases have nodes of."""
    domain, _, kind = operator.rpartition(".")
    versions = set()
    for case in cases:
        model = case.model()
        opsets = {"" if opset.domain == "ai.onnx" else opset.domain: opset.version for opset in model.opset_import}
        if any(node.op_type == kind and node.domain in (domain, domain or "ai.onnx") for node in model.graph.node):
            versions.add(onnx.defs.get_schema(kind, opsets[domain], domain).since_version)
    return ", ".join(str(version) for version in sorted(versions))


def _types(cases: list[Case]) -> str:
    """The element types of the cases' inputs and outputs."""
    numbers = set()
    for case in cases:
        graph = case.model().graph
        constants = {tensor.name for tensor in graph.initializer}
        for value in (*graph.input, *graph.output):
            if value.name in constants:
                continue
            type_ = value.type
            while (kind := type_.WhichOneof("value")) in ("sequence_type", "optional_type"):
                type_ = getattr(type_, kind).elem_type
            if kind == "tensor_type":
                numbers.add(type_.tensor_type.elem_type)
    return ", ".join(onnx.TensorProto.DataType.Name(number).lower() for number in sorted(numbers))


def _count(results: Iterable[Result]) -> str:
    counts = Counter(result.status for result in results)
    applicable = counts.total() - counts["inapplicable"]
    if counts["passed"] == applicable:
        return str(applicable)
    return f"**{counts['passed']} of {applicable}**"


def table(cases: list[Case], results: list[Result]) -> str:
    """Markdown: the rows, then every refusal and failure with its reason, and where a mode has nothing to say."""
    lines = [
        "# ONNX's backend tests",
        "",
        f"The {len(cases)} cases of the package onnx {onnx.__version__}, each in these modes "
        "(`run.py --update` writes this page):",
        "",
        "| mode | cases | pass | refused | fail | does not apply |",
        "|---|---|---|---|---|---|",
    ]
    for mode, meaning in MODES.items():
        counts = Counter(result.status for result in results if result.mode == mode)
        numbers = [str(counts[status]) for status in ("passed", "refused", "failed", "inapplicable")]
        lines.append(f"| {mode} | {meaning} | {' | '.join(numbers)} |")
    lines += [
        "",
        "A row has the operator's versions and the element types of inputs and outputs that passing cases show, and "
        "how many cases pass in each mode.",
        "",
        f"| operator | versions | types | {' | '.join(MODES)} |",
        f"|---|---|---|{'---|' * len(MODES)}",
        *rows(cases, results).values(),
    ]
    for status, title in (("failed", "Failed"), ("refused", "Refused"), ("inapplicable", "Does not apply")):
        lines += _reasons(results, status, title)
    return "\n".join(lines) + "\n"


def _reasons(results: list[Result], status: str, title: str) -> list[str]:
    """One line for each mode and reason, with the cases that have it."""
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in results:
        if result.status == status:
            names[result.reason, result.mode].append(f"`{result.name}`")
    modes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (reason, mode), cases in names.items():
        modes[reason, ", ".join(cases)].append(mode)
    lines = [f"- {', '.join(those)}: {reason}: {cases}" for (reason, cases), those in modes.items()]
    return ["", f"## {title}", "", *sorted(lines)] if lines else []


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
        "[operator by operator](test/conformance/support.md)."
    )


def guarded() -> set[tuple[str, str]]:
    """The cases and modes that must pass: a line is a case's name, and the modes if not all."""
    lines = [line.split() for line in PASSING.read_text().splitlines()]
    return {(name, mode) for name, *modes in lines for mode in modes or MODES}


def update(cases: list[Case], results: list[Result]) -> None:
    """After a complete run: writes the table and the README's sentence, and adds what passes to what must."""
    TABLE.write_text(table(cases, results))
    README.write_text(re.sub(r"^Of ONNX's own backend tests .*$", sentence(results), README.read_text(), flags=re.M))
    known = guarded() | {(r.name, r.mode) for r in results if r.status in ("passed", "inapplicable")}
    lines = []
    for case in cases:
        modes = [mode for mode in MODES if (case.name, mode) in known]
        if modes:
            lines.append(" ".join([case.name, *modes]) if len(modes) < len(MODES) else case.name)
    PASSING.write_text("\n".join(lines) + "\n")


def as_json(results: Iterable[Result]) -> list[dict]:
    """Without times, so that equal results are equal files."""
    return [{key: value for key, value in asdict(result).items() if key != "seconds"} for result in results]
