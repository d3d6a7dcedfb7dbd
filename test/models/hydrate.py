#!/usr/bin/env python3
"""Rebuilds full-size ONNX models from weightless skeletons.

A skeleton (NAME.skeleton.onnx) is a real exported graph whose large float initializers were replaced by their mean
and standard deviation. Hydrating draws the weights again from a generator seeded by each tensor's name, so the same
skeleton gives the same model on every machine. The graphs are exports of torchvision and of transformers; the weights
carry no training, which does not matter for speed or for comparing two runtimes on the same file.

usage: hydrate.py SKELETON.onnx OUT.onnx      one model
       hydrate.py --all OUT_DIR               every skeleton beside this script
"""

import os
import sys
import zlib
from pathlib import Path

import numpy as np
import onnx

STATISTICS = "skeleton.stats"  # metadata key of an emptied initializer: "mean,std"


def hydrate(skeleton: Path, output: Path) -> None:
    """Written under another name and renamed, so that `output` is whole whenever it is there."""
    model = onnx.load(skeleton)
    for tensor in model.graph.initializer:
        statistics = next((p.value for p in tensor.metadata_props if p.key == STATISTICS), None)
        if statistics is None:
            continue
        mean, std = map(float, statistics.split(","))
        if len(tensor.dims) == 4:  # a convolution kernel: He scaling keeps activations of order one through the depth
            std = float(np.sqrt(2.0 / np.prod(tensor.dims[1:])))
        elif len(tensor.dims) == 2 and std == 0.0:  # a head that its framework initialises to zero
            std = 0.02
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        generator = np.random.default_rng(zlib.crc32(tensor.name.encode()))
        tensor.raw_data = generator.normal(mean, std, tuple(tensor.dims)).astype(dtype).tobytes()
        del tensor.metadata_props[:]
    partial = output.with_name(f"{output.name}.{os.getpid()}")
    onnx.save(model, partial)
    partial.rename(output)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    if arguments[0] != "--all":
        hydrate(Path(arguments[0]), Path(arguments[1]))
        return 0
    folder = Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    for skeleton in sorted(Path(__file__).parent.glob("*.skeleton.onnx")):
        name = skeleton.name.replace(".skeleton.onnx", ".onnx")
        hydrate(skeleton, folder / name)
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
