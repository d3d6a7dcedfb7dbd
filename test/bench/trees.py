"""Boosted trees beside ONNX Runtime: trees.py [--seconds S]

Regressors with random thresholds; leaves are split at random until there are enough of them ("leaf-wise", as LightGBM
grows trees) or all paths are equally long. Microseconds a run on one thread: the least of several rounds of the
thread's own processor time, so that other programs do not count. Both engines are called by their Python interfaces.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxc
import onnxruntime
from onnx import TensorProto, helper

BATCHES = (1, 10, 100, 1000)
ROUNDS = 7


def shape_of_tree(random, leaves: int, depth: int) -> dict[int, tuple[int, int]]:
    """The two nodes below each that compares."""
    if depth:
        return {node: (2 * node + 1, 2 * node + 2) for node in range(2**depth - 1)}
    children, open_leaves = {}, [0]
    for count in range(1, 2 * leaves - 1, 2):
        children[open_leaves.pop(random.integers(len(open_leaves)))] = (count, count + 1)
        open_leaves += [count, count + 1]
    return children


def forest(trees: int, features: int, leaves: int = 0, depth: int = 0, cuts: int = 0):
    """`cuts`: thresholds of a feature, as of a histogram; 0: each node has its own."""
    random = np.random.default_rng(trees + features)
    histogram = random.normal(size=(features, cuts)).astype(np.float32)
    rows, weights = [], []
    for tree in range(trees):
        children = shape_of_tree(random, leaves, depth)
        for node in range(2 * len(children) + 1):
            if node not in children:
                rows.append((tree, node, 0, 0.0, "LEAF", 0, 0))
                weights.append((tree, node, 0, float(random.normal())))
                continue
            feature = int(random.integers(features))
            cut = histogram[feature, random.integers(cuts)] if cuts else np.float32(random.normal())
            rows.append((tree, node, feature, float(cut), "BRANCH_LEQ", *children[node]))
    names = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
    attributes = {
        f"nodes_{name}": column for name, column in zip(names, map(list, zip(*rows, strict=True)), strict=True)
    }
    names = ("treeids", "nodeids", "ids", "weights")
    attributes |= {
        f"target_{name}": column for name, column in zip(names, map(list, zip(*weights, strict=True)), strict=True)
    }
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", features])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(helper.make_graph([node], "trees", [x], [y]), opset_imports=opsets, ir_version=8)


FORESTS = {
    "100 of 31 leaves, 30 features": {"trees": 100, "features": 30, "leaves": 31, "cuts": 255},
    "500 of 31 leaves, 30 features": {"trees": 500, "features": 30, "leaves": 31, "cuts": 255},
    "100 of depth 6, 20 features": {"trees": 100, "features": 20, "depth": 6},
    "500 of depth 6, 50 features": {"trees": 500, "features": 50, "depth": 6, "cuts": 255},
    "100 of depth 8, 50 features": {"trees": 100, "features": 50, "depth": 8},
    "500 of depth 8, 50 features": {"trees": 500, "features": 50, "depth": 8, "cuts": 255},
    "10 of depth 14, 50 features": {"trees": 10, "features": 50, "depth": 14},
}


def microseconds(session, feeds: list[dict], seconds: float) -> float:
    best = np.inf
    for _ in range(ROUNDS):
        runs, start = 0, time.thread_time()
        while (spent := time.thread_time() - start) < seconds / ROUNDS:
            for feed in feeds:
                session.run(None, feed)
            runs += len(feeds)
        best = min(best, spent / runs)
    return best * 1e6


def main(seconds: float) -> None:
    print("| forest | rows | ONNX Runtime µs | onnxc µs | ratio |")
    print("|---|---|---|---|---|")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    own_options = onnxc.SessionOptions()
    own_options.intra_op_num_threads = 1
    for name, parameters in FORESTS.items():
        model = forest(**parameters).SerializeToString()
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "trees.so"
            onnxc.compile(model, library)
            ours = onnxc.InferenceSession(library, own_options)
            theirs = onnxruntime.InferenceSession(model, options)
            for count in BATCHES:
                # Of few rows several samples, so that branches cannot be foreseen.
                shape = (max(64 // count, 1), count, parameters["features"])
                feeds = [{"x": x} for x in np.random.default_rng(1).normal(size=shape).astype(np.float32)]
                np.testing.assert_allclose(ours.run(None, feeds[0])[0], theirs.run(None, feeds[0])[0], atol=1e-4)
                times = [microseconds(session, feeds, seconds) for session in (theirs, ours)]
                print(f"| {name} | {count} | {times[0]:.1f} | {times[1]:.1f} | {times[0] / times[1]:.1f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.3, help="for each number")
    main(parser.parse_args().seconds)
