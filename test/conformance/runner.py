"""Runs cases through onnx-compile and onnxc.InferenceSession.

Worker processes take cases from a queue. Each compiles with onnx-compile as a process of its own and runs the result
in a child of its own, so that a crash of either is a result and not the end. What comes of a case:

- passed;
- refused: onnx-compile ended with status 1 and one line that says why;
- failed: a wrong value, a crash, a timeout, or any other error.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from cases import Case

COMPILE_TIMEOUT = 60.0
RUN_TIMEOUT = 30.0

# Errors of the compiler's own making: status 1 and one line, but no refusal.
INTERNAL = re.compile(
    r"failed to legalize|internal error|failed to verify|unregistered|LLVM ERROR|expects? different type|"
    r"op operand #|does not dominate|unresolved materialization|unrealized_conversion_cast|undefined symbol|"
    r"^'[a-z_]+\.[a-z_.]+' op ",
    re.IGNORECASE,
)


@dataclass
class Result:
    name: str
    operator: str
    status: str  # passed, refused, failed
    reason: str = ""
    seconds: float = 0.0


def run_cases(cases: list[Case], jobs: int, progress: Callable[[int, Result], None] | None = None) -> list[Result]:
    """The results in the order of the cases; `progress` is called as they come in, with the count so far."""
    from onnxc import _compile

    compiler = _compile.find_compiler()
    context = multiprocessing.get_context("fork")  # the cases are inherited, not sent
    todo: multiprocessing.SimpleQueue = context.SimpleQueue()
    done: multiprocessing.Queue = context.Queue()
    with tempfile.TemporaryDirectory(prefix="onnxc-conformance-") as folder:
        workers = [
            context.Process(target=_work, args=(cases, compiler, Path(folder), todo, done), daemon=True)
            for _ in range(max(1, min(jobs, len(cases))))
        ]
        for worker in workers:
            worker.start()
        # The queue is a pipe of limited size: keep a few cases in it, no more.
        indices = iter(range(len(cases)))
        for index in [i for _, i in zip(range(4 * len(workers)), indices, strict=False)]:
            todo.put(index)
        results: dict[int, Result] = {}
        while len(results) < len(cases):
            index, result = done.get(timeout=COMPILE_TIMEOUT + 10 * RUN_TIMEOUT)
            results[index] = result
            todo.put(next(indices, None))  # None ends a worker
            if progress:
                progress(len(results), result)
        for worker in workers:
            worker.join(timeout=10)
    return [results[index] for index in range(len(cases))]


def _work(cases: list[Case], compiler: str, folder: Path, todo, done) -> None:
    while True:
        index = todo.get()
        if index is None:
            return
        case = cases[index]
        start = time.monotonic()
        try:
            status, reason = _run_case(case, compiler, folder)
        except Exception as error:
            status, reason = "failed", f"the case could not be run: {error!r}"
        done.put((index, Result(case.name, case.operator, status, reason, round(time.monotonic() - start, 3))))


def _run_case(case: Case, compiler: str, folder: Path) -> tuple[str, str]:
    model = case.write_model(folder)
    library = folder / f"{case.name}.so"
    try:
        process = subprocess.run(
            [compiler, str(model), "-o", str(library)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMPILE_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return "failed", f"compiling took more than {COMPILE_TIMEOUT:.0f} s"
    lines = [line for line in process.stderr.splitlines() if line.strip()]
    if process.returncode != 0:
        message = lines[-1] if lines else "no message"
        if process.returncode < 0:
            return "failed", f"the compiler crashed: {signal.Signals(-process.returncode).name}: {message}"
        if process.returncode != 1 or len(lines) != 1:
            return "failed", f"the compiler ended with {process.returncode} and {len(lines)} lines: {message}"
        message = re.sub(r"^(?:\S*onnx-compile: )?(?:error: )?", "", message).replace(str(model), "model")
        return ("failed" if INTERNAL.search(message) else "refused"), message
    try:
        return _run_in_child(case, library)
    finally:
        library.unlink(missing_ok=True)


def _run_in_child(case: Case, library: Path) -> tuple[str, str]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        try:
            answer = _check(case, library)
        except BaseException as error:
            answer = ("failed", _one_line(f"{type(error).__name__}: {error}"))
        with os.fdopen(writer, "wb") as stream:
            pickle.dump(answer, stream)
        os._exit(0)
    os.close(writer)
    answer = None
    with os.fdopen(reader, "rb") as stream:
        if select.select([stream], [], [], RUN_TIMEOUT)[0]:
            data = stream.read()
            answer = pickle.loads(data) if data else None
        else:
            os.kill(child, signal.SIGKILL)
            answer = ("failed", f"the run took more than {RUN_TIMEOUT:.0f} s")
    _, status = os.waitpid(child, 0)
    if answer is None:
        end = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"status {status}"
        answer = ("failed", f"the run crashed: {end}")
    return answer


def _check(case: Case, library: Path) -> tuple[str, str]:
    import onnxc

    options = onnxc.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxc.InferenceSession(str(library), options)
    for feeds, expected in case.data_sets():
        outputs = session.run(None, feeds)
        try:
            if case.share_of_ones:
                _compare_draws(case.share_of_ones, session, feeds, expected)
            else:
                _compare(case, expected, outputs)
        except AssertionError as error:
            return "failed", "wrong value: " + _one_line(str(error))
    return "passed", ""


def _compare(case: Case, expected: list, outputs: list) -> None:
    """A sequence's elements one by one: the runner takes them for lists of outputs, which scalars are not."""
    from onnx.backend.test.runner import Runner

    for want, got in zip(expected, outputs, strict=True):
        sequences = isinstance(want, list), isinstance(got, list)
        assert sequences[0] == sequences[1], f"expected {type(want)}, got {type(got)}"
        wants, gots = (want, got) if sequences[0] else ([want], [got])
        Runner.assert_similar_outputs(wants, gots, rtol=case.rtol, atol=case.atol)


def _compare_draws(share_of_ones: Callable, session, feeds: dict, expected: list) -> None:
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
    (x,) = feeds.values()
    share = share_of_ones(x)
    distance = np.abs(np.mean(draws, axis=0) - share) / np.sqrt(share * (1 - share) / runs)
    assert distance.max() < 5, f"shares {np.mean(draws, axis=0)} for {share}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def print_progress(total: int) -> Callable[[int, Result], None]:
    """A line on stderr every few seconds, and one for each failure."""
    state = {"last": time.monotonic(), "counts": Counter()}

    def progress(count: int, result: Result) -> None:
        state["counts"][result.status] += 1
        if result.status == "failed":
            print(f"  {result.name}: {result.reason[:160]}", file=sys.stderr, flush=True)
        now = time.monotonic()
        if now - state["last"] > 5 or count == total:
            state["last"] = now
            counts = state["counts"]
            line = (
                f"  {count} of {total}: {counts['passed']} pass, {counts['refused']} refused, {counts['failed']} fail"
            )
            print(line, file=sys.stderr, flush=True)

    return progress


def table(results: Iterable[Result]) -> str:
    """Markdown: passes per operator, then the reasons of refusals and the failures."""
    results = list(results)
    rows: dict[str, Counter] = defaultdict(Counter)
    for result in results:
        rows[result.operator][result.status] += 1
    total = Counter(result.status for result in results)
    lines = [
        "# ONNX's backend tests",
        "",
        f"{len(results)} cases: {total['passed']} pass, {total['refused']} refused at compile time, "
        f"{total['failed']} fail.",
        "",
        "| operator | cases | pass | refused | fail |",
        "|---|---|---|---|---|",
    ]
    for operator in sorted(rows, key=str.lower):
        row = rows[operator]
        lines.append(f"| {operator} | {sum(row.values())} | {row['passed']} | {row['refused']} | {row['failed']} |")
    failed = [result for result in results if result.status == "failed"]
    if failed:
        lines += ["", "## Failures", ""]
        lines += [f"- `{result.name}`: {result.reason}".replace("|", "\\|") for result in failed]
    return "\n".join(lines) + "\n"


def as_json(results: Iterable[Result]) -> dict[str, dict]:
    """By case. Without times, so that equal results are equal files."""
    return {
        result.name: {key: value for key, value in asdict(result).items() if key not in ("name", "seconds")}
        for result in results
    }
