"""Compiles and runs tests, many in one model, and judges each.

Tests of one opset share a model. When one is refused, the model is made again without it; when a run breaks, the model
is halved until the culprit is alone. What comes of a test: passed, refused (the compiler says why), meaningless
(what is asked for has no meaning, and the compiler says so), or failed.
"""

from __future__ import annotations

import multiprocessing
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from compile_and_run import RunFailed, compile_model, in_child, one_line

from .cases import NodeTest
from .expected import Expected, NoReference, compare, expected, inferred_types
from .models import feeds, make_model, plain

BATCH = 48
# How a refusal begins: it says what in the model is not supported.
REFUSAL = re.compile(r"(node|input|output) '")


@dataclass
class Result:
    name: str
    version: str  # Conv-11
    status: str
    reason: str = ""


def run_tests(
    tests: Sequence[NodeTest], jobs: int, progress: Callable[[int], None] = lambda done: None
) -> list[Result]:
    """The results in the tests' order; `progress` is told how many there are."""
    groups: dict[tuple[str, int], list[NodeTest]] = {}
    for test in tests:
        groups.setdefault((test.schema.domain, test.schema.since_version), []).append(test)
    batches = [group[start : start + BATCH] for group in groups.values() for start in range(0, len(group), BATCH)]
    results: dict[str, Result] = {}
    _Worker.batches = batches
    # Forked: the tests are inherited, not sent.
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for found in pool.imap_unordered(_Worker.judge_batch, range(len(batches))):
            results |= {result.name: result for result in found}
            progress(len(results))
    return [results[test.name] for test in tests]


class _Worker:
    batches: list[list[NodeTest]] = []

    @staticmethod
    def judge_batch(index: int) -> list[Result]:
        with tempfile.TemporaryDirectory(prefix="onnxc-versions-") as folder:
            return Judge(Path(folder)).judge(_Worker.batches[index])


class Judge:
    def __init__(self, folder: Path) -> None:
        from onnxc import _compile

        self.compiler = _compile.find_compiler()
        self.folder = folder
        self.wanted: dict[str, Expected] = {}

    def judge(self, tests: Sequence[NodeTest]) -> list[Result]:
        results, known = [], []
        for test in tests:
            if test.case.meaningless:
                results.append(self._refusal(test))
                continue
            try:
                self.wanted[test.name] = expected(test)
                known.append(test)
            except NoReference as error:
                results.append(_result(test, "failed", f"no reference: {error}"))
            except Exception as error:
                results.append(_result(test, "failed", f"the test is wrong: {type(error).__name__}: {error}"))
        return results + self._run(known)

    def _refusal(self, test: NodeTest) -> Result:
        """Of a test that must be refused."""
        path = self.folder / "model.onnx"
        onnx.save(make_model([test], [inferred_types(test)]), path)
        status, message = compile_model(self.compiler, path, self.folder / "model.so")
        if status == "refused" and REFUSAL.match(message) and test.case.meaningless in message:
            return _result(test, "meaningless", message)
        return _result(test, "failed", f"must be refused with '{test.case.meaningless}': {status} {message}")

    def _run(self, tests: Sequence[NodeTest]) -> list[Result]:
        if not tests:
            return []
        model = make_model(tests, [self.wanted[test.name].types for test in tests])
        path, library = self.folder / "model.onnx", self.folder / "model.so"
        onnx.save(model, path)
        status, message = compile_model(self.compiler, path, library)
        if status == "refused" and not REFUSAL.match(message):
            status = "failed"
        if status == "compiled":
            try:
                return in_child(lambda: self._compare(tests, library))
            except RunFailed as failure:
                return self._halve(tests, "failed", str(failure))
        culprits = _culprits(tests, message)
        if not culprits:
            return self._halve(tests, status, message)
        named = [_result(test, status, culprits[test.name]) for test in tests if test.name in culprits]
        return named + self._run([test for test in tests if test.name not in culprits])

    def _halve(self, tests: Sequence[NodeTest], status: str, message: str) -> list[Result]:
        if len(tests) == 1:
            return [_result(tests[0], status, message)]
        middle = len(tests) // 2
        return self._run(tests[:middle]) + self._run(tests[middle:])

    def _compare(self, tests: Sequence[NodeTest], library: Path) -> list[Result]:
        import onnxc

        options = onnxc.SessionOptions()
        options.intra_op_num_threads = 1
        values = iter(onnxc.InferenceSession(str(library), options).run(None, feeds(tests)))
        results = []
        for test in tests:
            want = self.wanted[test.name]
            got = [next(values) for _ in want.types]
            try:
                if test.case.check:
                    test.case.check([plain(value) for value in test.case.inputs], got)
                else:
                    compare(test, want, got)
                results.append(_result(test, "passed"))
            except Exception as error:
                results.append(_result(test, "failed", f"wrong value: {error}"))
        return results


def _culprits(tests: Sequence[NodeTest], message: str) -> dict[str, str]:
    """By name the tests that a message of the compiler names, by their nodes or values, with what it says of each."""
    names = {test.name for test in tests}
    found: dict[str, str] = {}
    for part in re.split(r"; (?=node '|input '|output ')", message):
        node, value = re.match(r"node '([^']*)'", part), re.search(r"\bt(\d+)_[xy]\d", part)
        if node and node[1] in names:
            found.setdefault(node[1], re.sub(r"; and \d+ more$", "", part))
        elif value:
            found.setdefault(tests[int(value[1])].name, re.sub(r"\bt\d+_", "", part))
    return found


def _result(test: NodeTest, status: str, reason: str = "") -> Result:
    return Result(test.name, test.version, status, one_line(reason))
