"""ONNX's own backend tests; runner.py says how a case is judged."""

import pytest
from cases import Case
from runner import Result


def test_case(case: Case, results: dict[str, Result], guarded: set[str]) -> None:
    result = results[case.name]
    if result.status == "failed":
        pytest.fail(result.reason, pytrace=False)
    if result.status == "refused":
        if case.name in guarded:
            pytest.fail(f"used to pass, now refused: {result.reason}", pytrace=False)
        pytest.skip(f"refused: {result.reason}")


def test_every_guarded_case_exists(guarded: set[str], request: pytest.FixtureRequest) -> None:
    """A case renamed by a new version of the package onnx must not slip out of the list unseen."""
    from cases import load_cases

    assert guarded <= {case.name for case in load_cases()}
