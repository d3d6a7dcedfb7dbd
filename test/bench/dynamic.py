#!/usr/bin/env python3
"""Measures what dynamic dims cost: the models of pictures as they are, and with batch, height and width dynamic.

usage: dynamic.py [-k SUBSTRING] [--rounds N] [--seconds S] [--threads N] [--markdown FILE]

Both libraries are compiled without any option, each runs in a process of its own; they take turns, and the median over
all rounds counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from models import Engine, benched, compile_model

PICTURES = ("resnet50", "mobilenet_v2", "efficientnet_b0", "vit_b_16")


def write_dynamic(model: Path, output: Path) -> None:
    """The model without the batch, height and width of its pictures."""
    proto = onnx.load(model)
    for index, name in ((0, "batch"), (2, "height"), (3, "width")):
        proto.graph.input[0].type.tensor_type.shape.dim[index].dim_param = name
    for value in proto.graph.output:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del proto.graph.value_info[:]
    onnx.save(proto, output)


def measure(model, arguments: argparse.Namespace, folder: Path) -> str:
    inputs = folder / "inputs.npz"
    np.savez(inputs, **model.make_inputs(model.kinds[0], model.bench))
    dynamic = folder / "dynamic.onnx"
    write_dynamic(model.path(), dynamic)
    cpus = set(sorted(os.sched_getaffinity(0))[-arguments.threads :])
    libraries, engines = [], []
    for source in (model.path(), dynamic):
        libraries.append(folder / f"{len(libraries)}.so")
        compile_model(source, libraries[-1])
        engines.append(Engine("onnxc", libraries[-1], inputs, arguments.threads, cpus))
    count = max(1, int(arguments.seconds * 1000 / statistics.median(engines[0].runs(3))))
    for _ in range(arguments.rounds):
        for engine in engines:
            engine.times += engine.runs(count)
    fixed, free = (statistics.median(engine.times) for engine in engines)
    sizes = " | ".join(f"{library.stat().st_size / 1e6:.1f}" for library in libraries)
    for engine in engines:
        engine.close()
    return f"| {model.name} | {fixed:.2f} | {free:.2f} | {free / fixed:.2f} | {sizes} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", default="", metavar="SUBSTRING")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one library in one round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    lines = ["| model | static ms | dynamic ms | ratio | static MB | dynamic MB |", "|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory(prefix="onnxc-bench-") as folder:
        for model in benched():
            if model.name in PICTURES and arguments.k in model.name:
                print(f"{model.name} …", file=sys.stderr, flush=True)
                lines.append(measure(model, arguments, Path(folder)))
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if arguments.markdown:
        arguments.markdown.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
