"""ONNX's own backend tests; runner.py says how a case is judged."""

import json

import pytest
import support
import support_table
from cases import Case, load_cases
from modes import MODES
from runner import Result

GUARDED = support.guarded()


def test_case(case: Case, mode: str, result_of: dict[tuple[str, str], Result]) -> None:
    result = result_of[case.name, mode]
    if result.status == "failed":
        pytest.fail(result.reason, pytrace=False)
    if result.status == "refused":
        if (case.name, mode) in GUARDED:
            pytest.fail(f"used to pass, now refused: {result.reason}", pytrace=False)
        pytest.skip(f"refused: {result.reason}")
    if result.status == "inapplicable":
        pytest.skip(f"does not apply: {result.reason}")


def test_every_guarded_case_exists() -> None:
    """A case renamed by a new version of the package onnx must not slip out of the list unseen."""
    assert {name for name, _ in GUARDED} <= {case.name for case in load_cases()}
    assert {mode for _, mode in GUARDED} <= set(MODES)


def test_the_results_are_what_the_run_found(results: list[Result]) -> None:
    """Of a part of the cases, those operators that were run to the end; `run.py --update` mends it."""
    cases = load_cases()
    known = json.loads(support.RESULTS.read_text())
    for operator, found in support.operators(cases, results).items():
        assert known["operators"].get(operator) == found, operator
    if len(results) == len(cases) * len(MODES):
        assert known == support.content(cases, results)
        assert support.sentence(results) in support.README.read_text().splitlines()


def test_the_table_is_current() -> None:
    assert support_table.TABLE.read_text() == support_table.current(), "run.py --update writes it"
