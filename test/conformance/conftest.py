"""Runs the selected cases once, in parallel, before the first of them reports."""

import json
import os
from pathlib import Path

import pytest
from cases import load_cases
from runner import Result, as_json, print_progress, run_cases, table

HERE = Path(__file__).parent
RESULTS = HERE.parent.parent / "build" / "conformance"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        cases = load_cases()
        metafunc.parametrize("case", cases, ids=[case.name for case in cases])


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> dict[str, Result]:
    selected = [item.callspec.params["case"] for item in request.session.items if "case" in item.fixturenames]
    print(f"\n  {len(selected)} cases of ONNX's backend tests", flush=True)
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        found = run_cases(selected, os.cpu_count() or 1, print_progress(len(selected)))
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "results.md").write_text(table(found))
    (RESULTS / "results.json").write_text(json.dumps(as_json(found), indent=1, sort_keys=True) + "\n")
    return {result.name: result for result in found}


@pytest.fixture(scope="session")
def guarded() -> set[str]:
    return set((HERE / "passing.txt").read_text().split())
