#!/usr/bin/env python3
"""Measures the real models: compiling, the library, and runs beside ONNX Runtime.

usage: models.py [-k SUBSTRING] [--rounds N] [--seconds S] [--threads N] [--json FILE] [--markdown FILE]

Each engine runs in a process of its own, pinned to the same processors; they take turns, round by round, and the
median over all rounds counts. The error is max |a-b| / max |b| over all outputs of floating point, for a model's
first kind of inputs.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "models"))
import zoo

HERE = Path(__file__).resolve().parent
COLUMNS = (
    "model",
    "shape",
    "error",
    "compile s",
    "compile peak MB",
    "library MB",
    "model MB",
    "ms",
    "ORT ms",
    "ORT / ours",
)


class Engine:
    """engine.py in a process."""

    def __init__(self, name: str, path: Path, model: zoo.Model, cpus: set[int]) -> None:
        self.times: list[float] = []
        self.process = subprocess.Popen(
            [sys.executable, HERE / "engine.py", name, path, model.name, str(len(cpus))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )
        self.load_ms = self._answer()["load_ms"]

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[2]} ended with status {self.process.wait()}")
        return json.loads(line)

    def runs(self, count: int) -> list[float]:
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def compile_model(model: Path, library: Path) -> tuple[float, float]:
    """Seconds, and the peak of resident memory in MB."""
    from onnxc import _compile

    start = time.perf_counter()
    process = subprocess.Popen([_compile.find_compiler(), str(model), "-o", str(library)])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{model.name} does not compile")
    return seconds, usage.ru_maxrss / 1024


def error_of(model: zoo.Model, library: Path) -> float:
    import numpy as np
    import onnxc
    import onnxruntime

    feeds = model.make_inputs(model.kinds[0], model.bench)
    ours = onnxc.InferenceSession(str(library)).run(None, feeds)
    session = onnxruntime.InferenceSession(str(model.path()), providers=["CPUExecutionProvider"])
    pairs = zip(ours, session.run(None, feeds), strict=True)
    return max(zoo.relative_error(a, b) for a, b in pairs if np.issubdtype(b.dtype, np.floating))


def measure(model: zoo.Model, rounds: int, seconds: float, cpus: set[int], folder: Path) -> dict:
    path = model.path()
    library = folder / f"{path.stem}.so"
    compile_seconds, peak = compile_model(path, library)
    error = error_of(model, library)
    engines = [Engine("onnxc", library, model, cpus), Engine("onnxruntime", path, model, cpus)]
    once = [statistics.median(engine.runs(3)) for engine in engines]
    for _ in range(rounds):
        for engine, duration in zip(engines, once, strict=True):
            engine.times += engine.runs(max(1, int(seconds * 1000 / duration)))
    ours, theirs = (statistics.median(engine.times) for engine in engines)
    for engine in engines:
        engine.close()
    return {
        "model": model.name,
        "shape": "x".join(map(str, model.bench)),
        "error": error,
        "compile s": compile_seconds,
        "compile peak MB": peak,
        "library MB": library.stat().st_size / 1e6,
        "model MB": path.stat().st_size / 1e6,
        "ms": ours,
        "ORT ms": theirs,
        "ORT / ours": theirs / ours,
        "load ms": engines[0].load_ms,
        "ORT load ms": engines[1].load_ms,
    }


def markdown(rows: list[dict]) -> str:
    def cell(column: str, value) -> str:
        if isinstance(value, str):
            return value
        if column == "error":
            return f"{value:.1e}"
        return f"{value:.2f}" if value < 100 else f"{value:.0f}"

    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(cell(column, row[column]) for column in COLUMNS) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", default="", metavar="SUBSTRING")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one engine in one round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()

    available = sorted(os.sched_getaffinity(0))
    if arguments.threads > len(available):
        parser.error(f"there are {len(available)} processors")
    cpus = set(available[-arguments.threads :])
    rows = []
    failed = False
    with tempfile.TemporaryDirectory(prefix="onnxc-bench-") as folder:
        for model in zoo.models():
            if arguments.k not in model.name:
                continue
            print(f"{model.name} …", file=sys.stderr, flush=True)
            try:
                rows.append(measure(model, arguments.rounds, arguments.seconds, cpus, Path(folder)))
            except RuntimeError as error:
                print(f"error: {error}", file=sys.stderr)
                failed = True
    if not rows:
        print("error: nothing was measured", file=sys.stderr)
        return 1
    text = markdown(rows)
    mean = math.exp(statistics.fmean(math.log(row["ORT / ours"]) for row in rows))
    text += f"\nGeometric mean of ORT / ours: {mean:.2f} ({arguments.threads} thread(s), {_processor()})\n"
    print(text, end="")
    if arguments.markdown:
        arguments.markdown.write_text(text)
    if arguments.json:
        facts = {"processor": _processor(), "threads": arguments.threads, "geometric mean": mean, "rows": rows}
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n")
    return 1 if failed else 0


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
