"""Runs cases, each in some modes, through onnx-compile and onnxc.InferenceSession.

Worker processes take jobs from a queue: a case in one mode. Each compiles with onnx-compile as a process of its own
and runs the result in a child of its own, so that a crash of either is a result and not the end. What comes of a job:

- passed;
- refused: onnx-compile ended with status 1 and one line that says why;
- failed: a wrong value, a crash, a timeout, or any other error;
- inapplicable: the mode has nothing to say about the case.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from cases import Case
from compile_and_run import COMPILE_TIMEOUT, RUN_TIMEOUT, RunFailed, compile_model, in_child, one_line
from modes import DoesNotApply, Program, programs


@dataclass
class Result:
    name: str
    operator: str
    mode: str
    status: str  # passed, refused, failed, inapplicable
    reason: str = ""
    seconds: float = 0.0


def run_cases(
    jobs: list[tuple[Case, str]], processes: int, progress: Callable[[int, Result], None] | None = None
) -> list[Result]:
    """The results of cases in modes, in their order; `progress` is called as they come in, with the count so far."""
    from onnxc import _compile

    compiler = _compile.find_compiler()
    context = multiprocessing.get_context("fork")  # the cases are inherited, not sent
    todo: multiprocessing.SimpleQueue = context.SimpleQueue()
    done: multiprocessing.Queue = context.Queue()
    with tempfile.TemporaryDirectory(prefix="onnxc-conformance-") as folder:
        workers = [
            context.Process(target=_work, args=(jobs, compiler, Path(folder), todo, done), daemon=True)
            for _ in range(max(1, min(processes, len(jobs))))
        ]
        for worker in workers:
            worker.start()
        # The queue is a pipe of limited size: keep a few jobs in it, no more.
        indices = iter(range(len(jobs)))
        for index in [i for _, i in zip(range(4 * len(workers)), indices, strict=False)]:
            todo.put(index)
        results: dict[int, Result] = {}
        while len(results) < len(jobs):
            index, result = done.get(timeout=COMPILE_TIMEOUT + 10 * RUN_TIMEOUT)
            results[index] = result
            todo.put(next(indices, None))  # None ends a worker
            if progress:
                progress(len(results), result)
        for worker in workers:
            worker.join(timeout=10)
    return [results[index] for index in range(len(jobs))]


def _work(jobs: list[tuple[Case, str]], compiler: str, folder: Path, todo, done) -> None:
    while True:
        index = todo.get()
        if index is None:
            return
        case, mode = jobs[index]
        start = time.monotonic()
        try:
            status, reason = _run_case(case, mode, compiler, folder / str(index))
        except Exception as error:
            status, reason = "failed", f"the case could not be run: {error!r}"
        done.put((index, Result(case.name, case.operator, mode, status, reason, round(time.monotonic() - start, 3))))


def _run_case(case: Case, mode: str, compiler: str, path: Path) -> tuple[str, str]:
    """Its files are `path` with suffixes."""
    try:
        todo = programs(case, mode)
    except DoesNotApply as reason:
        return "inapplicable", str(reason)
    for program in todo:
        status, reason = _run_program(case, program, compiler, path)
        if status != "passed":
            break
    return status, reason


def _run_program(case: Case, program: Program, compiler: str, path: Path) -> tuple[str, str]:
    model, library = path.with_suffix(".onnx"), path.with_suffix(".so")
    model.write_bytes(program.model.SerializeToString())
    try:
        status, reason = compile_model(compiler, model, library)
        if status != "compiled":
            return status, reason
        return in_child(lambda: _check(case, program, library))
    except RunFailed as failure:
        return "failed", str(failure)
    finally:
        model.unlink()
        library.unlink(missing_ok=True)


def _check(case: Case, program: Program, library: Path) -> tuple[str, str]:
    import onnxc

    options = onnxc.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxc.InferenceSession(str(library), options)
    for feeds, expected in program.data_sets:
        outputs = session.run(None, feeds)
        try:
            if case.share_of_ones:
                _compare_draws(case, session, feeds, expected)
            else:
                _compare(case, expected, outputs)
        except AssertionError as error:
            return "failed", "wrong value: " + one_line(str(error))
    return "passed", ""


def _compare(case: Case, expected: list, outputs: list) -> None:
    """A sequence's elements one by one: the runner takes them for lists of outputs, which scalars are not."""
    from onnx.backend.test.runner import Runner

    for want, got in zip(expected, outputs, strict=True):
        sequences = isinstance(want, list), isinstance(got, list)
        assert sequences[0] == sequences[1], f"expected {type(want)}, got {type(got)}"
        wants, gots = (want, got) if sequences[0] else ([want], [got])
        Runner.assert_similar_outputs(wants, gots, rtol=case.rtol, atol=case.atol)


def _compare_draws(case: Case, session, feeds: dict, expected: list) -> None:
    """Each run draws zeros and ones: over many, each element's mean is its share of ones, to 5 standard deviations."""
    import numpy as np

    runs = 400
    (want,) = expected
    draws = []
    for _ in range(runs):
        (result,) = session.run(None, feeds)
        assert result.dtype == want.dtype and result.shape == want.shape, f"got {result.dtype}{list(result.shape)}"
        draws.append(result)
    assert set(np.unique(draws)) == {0, 1}, f"drew {np.unique(draws)}"
    ((inputs, _),) = case.data_sets()  # a folded program has none
    (x,) = inputs.values()
    share = case.share_of_ones(x)
    distance = np.abs(np.mean(draws, axis=0) - share) / np.sqrt(share * (1 - share) / runs)
    assert distance.max() < 5, f"shares {np.mean(draws, axis=0)} for {share}"


def write_each(path: Path, results: list[Result]) -> None:
    """One by one, without times, so that equal results are equal files."""
    entries = [{key: value for key, value in asdict(result).items() if key != "seconds"} for result in results]
    path.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n")


def print_progress(total: int) -> Callable[[int, Result], None]:
    """A line on stderr every few seconds, and one for each failure."""
    state = {"last": time.monotonic(), "counts": Counter()}

    def progress(count: int, result: Result) -> None:
        state["counts"][result.status] += 1
        if result.status == "failed":
            print(f"  {result.name} {result.mode}: {result.reason[:160]}", file=sys.stderr, flush=True)
        now = time.monotonic()
        if now - state["last"] > 5 or count == total:
            state["last"] = now
            counts = state["counts"]
            line = (
                f"  {count} of {total}: {counts['passed']} pass, {counts['refused']} refused, {counts['failed']} fail"
            )
            print(line, file=sys.stderr, flush=True)

    return progress
