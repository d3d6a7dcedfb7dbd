#!/usr/bin/env python3
"""Measures the real models: compiling, the library, starting, and runs beside ONNX Runtime and OpenVINO.

usage: models.py [-k SUBSTRING] [--threads N ...] [--engines NAME ...] [--rounds N] [--seconds S] [--json FILE]
                 [--markdown FILE]

Each engine runs in a process of its own, pinned to the same processors; they take turns, round by round, and the
median over all rounds counts. All compute in f32. The error is max |a-b| / max |b| over all outputs of floating point
against ONNX Runtime, for a model's first kind of inputs. Start: importing the engine, loading the model and the first
run, less a steady run. A model that an engine refuses has no figure and leaves that engine's mean.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "models"))
import published_models
import zoo

HERE = Path(__file__).resolve().parent
# Runs a command; prints its seconds and the peak of its resident memory in kB.
COMPILE = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
status = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
print(json.dumps([time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
sys.exit(status)
"""
OTHERS = {"onnxruntime": "ORT", "openvino": "OV"}


class Refused(Exception):
    """The engine does not take the model."""


class Engine:
    """engine.py in a process."""

    def __init__(
        self, name: str, path: Path, inputs: Path, threads: int, cpus: set[int], clock: str = "perf_counter"
    ) -> None:
        self.times: list[float] = []
        self.process = subprocess.Popen(
            [sys.executable, HERE / "engine.py", name, path, inputs, str(threads), clock],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )
        self.first_ms = self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            complaint = self.process.communicate()[1].strip().splitlines() or ["no message"]
            raise Refused(complaint[-1])
        return json.loads(line)

    def runs(self, count: int) -> list[float]:
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> float:
        """Ends the process; its peak of resident memory in MB."""
        self.process.stdin.close()
        peak = self._answer()
        self.process.wait()
        return peak


def benched() -> list[zoo.Model]:
    """The models to measure: bert_base with a short text, too."""
    models = [*zoo.models(), *published_models.MODELS]
    place = next(i for i, model in enumerate(models) if model.name == "bert_base")
    models.insert(place, dataclasses.replace(models[place], bench=(1, 17)))
    return models


def compile_model(model: Path, library: Path) -> tuple[float, float]:
    """Seconds, and the peak of resident memory in MB."""
    from onnxc import _compile

    # A small process between: getrusage begins with the memory of the process that forks.
    command = [sys.executable, "-S", "-c", COMPILE, _compile.find_compiler(), str(model), "-o", str(library)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Refused(f"{model.name} does not compile")
    seconds, kilobytes = json.loads(done.stdout)
    return seconds, kilobytes / 1024


def error_of(model: zoo.Model, library: Path) -> float:
    import onnxc
    import onnxruntime

    feeds = model.make_inputs(model.kinds[0], model.bench)
    ours = onnxc.InferenceSession(str(library)).run(None, feeds)
    session = onnxruntime.InferenceSession(str(model.path()), providers=["CPUExecutionProvider"])
    pairs = zip(ours, session.run(None, feeds), strict=True)
    return max(zoo.relative_error(a, b) for a, b in pairs if np.issubdtype(b.dtype, np.floating))


def race(files: dict[str, Path], inputs: Path, rounds: int, seconds: float, cpus: set[int]) -> dict[str, dict]:
    """Of each engine that takes the model its median ms, the ms to start and the peak MB."""
    engines = {}
    for name, path in files.items():
        try:
            engines[name] = Engine(name, path, inputs, len(cpus), cpus)
        except Refused as refusal:
            print(f"  {name} refuses it: {refusal}", file=sys.stderr)
    once = {name: statistics.median(engine.runs(3)) for name, engine in engines.items()}
    for _ in range(rounds):
        for name, engine in engines.items():
            engine.times += engine.runs(max(1, int(seconds * 1000 / once[name])))
    figures = {}
    for name, engine in engines.items():
        steady = statistics.median(engine.times)
        figures[name] = {"ms": steady, "start ms": engine.first_ms - steady, "peak MB": engine.close()}
    return figures


def measure(model: zoo.Model, arguments: argparse.Namespace, cpus: list[int], folder: Path) -> dict:
    path = model.path()
    library, inputs = folder / f"{path.stem}.so", folder / f"{path.stem}.npz"
    compile_seconds, peak = compile_model(path, library)
    np.savez(inputs, **model.make_inputs(model.kinds[0], model.bench))
    files = {"onnxc": library} | {name: path for name in arguments.engines}
    row = {
        "model": model.name,
        "shape": "x".join(map(str, model.bench)),
        "error": error_of(model, library),
        "compile s": compile_seconds,
        "compile peak MB": peak,
        "library MB": library.stat().st_size / 1e6,
        "model MB": path.stat().st_size / 1e6,
        "threads": {},
    }
    for threads in arguments.threads:
        row["threads"][threads] = race(files, inputs, arguments.rounds, arguments.seconds, set(cpus[-threads:]))
    library.unlink()
    return row


def cells(row: dict, arguments: argparse.Namespace) -> dict[str, str]:
    """The row of the table."""

    def short(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"

    result = {"model": row["model"], "shape": row["shape"], "error": f"{row['error']:.1e}"}
    for column in ("compile s", "compile peak MB", "library MB", "model MB"):
        result[column] = short(row[column])
    for threads in arguments.threads:
        suffix = f" x{threads}" if len(arguments.threads) > 1 else ""
        result["ms" + suffix] = short(row["threads"][threads]["onnxc"]["ms"])
        for name in arguments.engines:
            result[f"{OTHERS[name]} / ours{suffix}"] = short(ratio(row, threads, name))
    first = row["threads"][arguments.threads[0]]
    for name in ("onnxc", *arguments.engines):
        label = OTHERS.get(name, "").strip()
        for column in ("start ms", "peak MB"):
            result[f"{label} {column}".strip()] = short(first[name][column] if name in first else None)
    return result


def ratio(row: dict, threads: int, name: str) -> float | None:
    figures = row["threads"][threads]
    return figures[name]["ms"] / figures["onnxc"]["ms"] if name in figures else None


def report(rows: list[dict], arguments: argparse.Namespace) -> str:
    table = [cells(row, arguments) for row in rows]
    lines = ["| " + " | ".join(table[0]) + " |", "|" + "---|" * len(table[0])]
    lines += ["| " + " | ".join(row.values()) + " |" for row in table]
    lines.append("")
    for threads in arguments.threads:
        for name in arguments.engines:
            ratios = [value for row in rows if (value := ratio(row, threads, name))]
            if ratios:
                mean = math.exp(statistics.fmean(map(math.log, ratios)))
                heading = f"{threads} thread{'s' * (threads > 1)}, {OTHERS[name]} / ours over {len(ratios)} models"
                lines.append(f"{heading}: geometric mean {mean:.2f}, least {min(ratios):.2f}.")
    lines.append(f"Processor: {_processor()}.")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    installed = [name for name in OTHERS if importlib.util.find_spec(name)]
    parser.add_argument("-k", default="", metavar="SUBSTRING")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--engines", nargs="*", choices=OTHERS, default=installed)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one engine in one round")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()

    available = sorted(os.sched_getaffinity(0))
    if not all(1 <= threads <= len(available) for threads in arguments.threads):
        parser.error(f"there are {len(available)} processors")
    rows = []
    failed = False
    with tempfile.TemporaryDirectory(prefix="onnxc-bench-") as folder:
        for model in benched():
            if arguments.k not in model.name:
                continue
            print(f"{model.name} …", file=sys.stderr, flush=True)
            try:
                rows.append(measure(model, arguments, available, Path(folder)))
            except Refused as refusal:
                print(f"error: {refusal}", file=sys.stderr)
                failed = True
    if not rows:
        print("error: nothing was measured", file=sys.stderr)
        return 1
    text = report(rows, arguments)
    print(text, end="")
    if arguments.markdown:
        arguments.markdown.write_text(text)
    if arguments.json:
        arguments.json.write_text(json.dumps({"processor": _processor(), "rows": rows}, indent=1) + "\n")
    return 1 if failed else 0


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
