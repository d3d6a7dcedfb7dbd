#!/usr/bin/env python3
"""How near the real models come to what one core can do: FLOPs, bytes and the share of the measured peak, by operator.

usage: roofline.py [-k SUBSTRING] [--repeat N] [--rows N] [--markdown FILE]

The peaks are measured first (peak.c): multiply-adds from registers, and reading memory that is in no cache. Each
kernel's time is the least over the runs. A Winograd convolution counts the multiply-adds that it does, not those that
it saves. Bytes are those of operands and results, once each: where these are in a cache the rate may be above the
peak of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from models import benched

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent.parent / "build" / "bin"


@dataclass
class Work:
    seconds: float = 0.0
    flops: float = 0.0
    bytes: float = 0.0
    kernels: int = 0

    def add(self, other: Work) -> None:
        self.seconds += other.seconds
        self.flops += other.flops
        self.bytes += other.bytes
        self.kernels += other.kernels


def measure_peaks(folder: Path) -> tuple[float, float]:
    """GFLOP/s and GB/s of one core."""
    program = folder / "peak"
    clang = os.environ.get("CLANG", "clang-22")
    flags = ["-O3", "-march=native", "-ffp-contract=fast"]
    subprocess.run([clang, *flags, HERE / "peak.c", "-o", program], check=True)
    answer = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    flops, read = map(float, answer.split())
    return flops, read


def profile(model, repeat: int, folder: Path) -> dict[tuple[str, str], Work]:
    """The work of each pair of operators and kind of kernel."""
    library, trace = folder / "model.so", folder / "trace.json"
    subprocess.run([TOOLS / "onnx-compile", model.path(), "-o", library, "--profile"], check=True)
    command = [TOOLS / "onnx-run", library, "--threads", "1", "--repeat", str(repeat), f"--profile={trace}"]
    for name, value in model.make_inputs(model.kinds[0], model.bench).items():
        file = folder / f"{len(command)}.npy"
        np.save(file, value)
        command += ["--input", f"{name}={file}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    least: dict[int, Work] = {}
    names: dict[int, tuple[str, str]] = {}
    position: dict[int, int] = defaultdict(int)
    for event in json.loads(trace.read_text()):
        if event.get("cat") != "Node":
            continue
        facts = event["args"]
        index = position[facts["run"]]  # the same kernel in each run
        position[facts["run"]] += 1
        work = Work(event["dur"] * 1e-6, facts.get("flops", 0), facts.get("bytes", 0), 1)
        names[index] = (facts["op_name"], facts["kernel"])
        if index not in least or work.seconds < least[index].seconds:
            least[index] = work
    total: dict[tuple[str, str], Work] = defaultdict(Work)
    for index, work in least.items():
        total[names[index]].add(work)
    return total


def line(label: str, work: Work, whole: Work, peaks: tuple[float, float]) -> str:
    seconds = max(work.seconds, 1e-9)
    flops, read = work.flops / seconds / 1e9, work.bytes / seconds / 1e9
    figures = [
        f"{work.seconds * 1e3:.3f}",
        f"{work.seconds / whole.seconds:.0%}",
        f"{work.flops / 1e9:.3f}",
        f"{flops:.1f}",
        f"{flops / peaks[0]:.0%}",
        f"{work.bytes / 1e6:.1f}",
        f"{read:.1f}",
        f"{read / peaks[1]:.0%}",
    ]
    return f"| {label} | {work.kernels} | " + " | ".join(figures) + " |"


def report(model, total: dict[tuple[str, str], Work], rows: int, peaks: tuple[float, float]) -> list[str]:
    whole = Work()
    for work in total.values():
        whole.add(work)
    lines = ["", f"### {model.name} {'x'.join(map(str, model.bench))}", ""]
    lines.append("| operators | kernels | ms | share | GFLOP | GFLOP/s | of peak | MB | GB/s | of peak |")
    lines.append("|---|" + "---|" * 9)
    lines.append(line("**all**", whole, whole, peaks))
    ordered = sorted(total.items(), key=lambda item: -item[1].seconds)
    for (operators, kernel), work in ordered[:rows]:
        lines.append(line(f"{operators} ({kernel})", work, whole, peaks))
    rest = Work()
    for _, work in ordered[rows:]:
        rest.add(work)
    if rest.kernels:
        lines.append(line("the others", rest, whole, peaks))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", default="", metavar="SUBSTRING")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--rows", type=int, default=5, help="operators of a model")
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    models = [model for model in benched() if arguments.k in model.name]
    if not models:
        parser.error(f"no model has {arguments.k!r} in its name")
    with tempfile.TemporaryDirectory(prefix="onnxc-roofline-") as folder:
        peaks = measure_peaks(Path(folder))
        lines = [
            "# How near the models come to the peak",
            "",
            "`test/bench/roofline.py --markdown test/bench/roofline.md` wrote this: one thread of a processor whose"
            f" core reaches {peaks[0]:.0f} GFLOP/s from registers and reads {peaks[1]:.0f} GB/s from memory.",
        ]
        for model in models:
            print(f"{model.name} …", file=sys.stderr, flush=True)
            lines += report(model, profile(model, arguments.repeat, Path(folder)), arguments.rows, peaks)
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if arguments.markdown:
        arguments.markdown.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
