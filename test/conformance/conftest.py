"""Runs the selected cases once, in parallel, before the first of them reports."""

import os
from pathlib import Path

import pytest
from cases import load_cases
from modes import MODES
from runner import Result, print_progress, run_cases, write_each

RESULTS = Path(__file__).parent.parent.parent / "build" / "conformance"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        jobs = [(case, mode) for case in load_cases() for mode in MODES]
        metafunc.parametrize(("case", "mode"), jobs, ids=[f"{case.name}-{mode}" for case, mode in jobs])


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> list[Result]:
    items = [item.callspec.params for item in request.session.items if "case" in item.fixturenames]
    jobs = [(params["case"], params["mode"]) for params in items]
    print(f"\n  {len(jobs)} cases and modes of ONNX's backend tests", flush=True)
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        found = run_cases(jobs, os.cpu_count() or 1, print_progress(len(jobs)))
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_each(RESULTS / "results.json", found)
    return found


@pytest.fixture(scope="session")
def result_of(results: list[Result]) -> dict[tuple[str, str], Result]:
    return {(result.name, result.mode): result for result in results}
