"""Every version of every operator; cases.py says what is tested, expected.py what the results must be."""

import json

import pytest
import support_table

from .cases import NodeTest, load_tests
from .results import HERE, content
from .runner import Result


def test_version(version: list[NodeTest], results: dict[str, Result]) -> None:
    known = json.loads((HERE / "results.json").read_text())["refused"]
    complaints = []
    for test in version:
        result = results[test.name]
        if result.status == "failed":
            complaints.append(f"{test.name}: {result.reason}")
        elif result.status == "refused" and test.name not in known:
            complaints.append(f"{test.name} used to pass, now refused: {result.reason}")
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)
    if all(results[test.name].status in ("refused", "meaningless") for test in version):
        pytest.skip(f"refused: {results[version[0].name].reason}")


def test_the_results_are_current(results: dict[str, Result]) -> None:
    tests, left_out = load_tests()
    if len(results) < len(tests):
        pytest.skip("only a part of the tests is selected")
    if json.loads((HERE / "results.json").read_text()) != content(tests, list(results.values()), left_out):
        pytest.fail("results.json is not what comes out: test/versions/run.py --update", pytrace=False)


def test_the_table_is_current() -> None:
    if support_table.TABLE.read_text() != support_table.current():
        pytest.fail("support.md is not what results.json says: run.py --update", pytrace=False)
