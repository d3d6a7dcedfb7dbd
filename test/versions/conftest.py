"""Runs the selected tests once, many in a model, before the first of them reports."""

import os
from pathlib import Path

import pytest

from .cases import NodeTest, load_tests
from .results import write_results
from .runner import Result, run_tests

BUILD = Path(__file__).parent.parent.parent / "build" / "versions"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "version" in metafunc.fixturenames:
        versions: dict[str, list[NodeTest]] = {}
        for test in load_tests()[0]:
            versions.setdefault(test.version, []).append(test)
        metafunc.parametrize("version", versions.values(), ids=versions)


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> dict[str, Result]:
    """By the tests' names."""
    items = [item for item in request.session.items if "version" in getattr(item, "fixturenames", ())]
    tests = [test for item in items for test in item.callspec.params["version"]]
    found = run_tests(tests, os.cpu_count() or 1)
    BUILD.mkdir(parents=True, exist_ok=True)
    write_results(BUILD, tests, found, load_tests()[1])
    return {result.name: result for result in found}
