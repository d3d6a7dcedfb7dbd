"""Functions that a model brings with it, written for another opset than the model's."""

import numpy as np
import onnx
import onnxc
import pytest
from onnx import TensorProto as T
from onnx import helper


def model_of(nodes: list[onnx.NodeProto], opset: int) -> onnx.ModelProto:
    """The function on x, a vector, whose type only inference finds."""
    imports = [helper.make_opsetid("", opset)]
    function = helper.make_function("local", "Twice", ["a"], ["b"], nodes, imports)
    calls = [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Twice", ["h"], ["y"], "twice", domain="local")]
    sides = [[helper.make_tensor_value_info(name, T.FLOAT, ["N"])] for name in ("x", "y")]
    own = [helper.make_opsetid("", 22), helper.make_opsetid("local", 1)]
    graph = helper.make_graph(calls, "functions", *sides)
    return helper.make_model(graph, opset_imports=own, functions=[function], ir_version=10)


def test_operators_that_did_not_change(agree) -> None:
    """Those of opset 21 that mean the same in 22, also in a branch."""
    branches = [
        helper.make_graph([helper.make_node(name, inputs, ["r"])], name, [], [onnx.ValueInfoProto(name="r")])
        for name, inputs in (("Add", ["a", "a"]), ("Neg", ["a"]))
    ]
    nodes = [
        helper.make_node("Size", ["a"], ["n"]),
        helper.make_node("Constant", [], ["two"], value_int=2),
        helper.make_node("Less", ["n", "two"], ["short"]),
        helper.make_node("If", ["short"], ["b"], then_branch=branches[0], else_branch=branches[1]),
    ]
    agree(model_of(nodes, 21), *({"x": np.arange(n, dtype=np.float32) - 1} for n in (1, 3)))


def test_operators_that_changed(compiled) -> None:
    nodes = [helper.make_node("Squeeze", ["a"], ["s"], axes=[0]), helper.make_node("Unsqueeze", ["s"], ["b"], axes=[0])]
    with pytest.raises(onnxc.CompileError, match="FunctionOp imports version 12 whereas model imports version 22"):
        compiled(model_of(nodes, 12))
