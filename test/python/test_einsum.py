"""Einsum against numpy: equations that are products of matrices, and those that are not."""

import numpy as np
import onnxc
from onnx import TensorProto, helper, numpy_helper
from small_models import make_model

FLOAT = TensorProto.FLOAT
SIZES = {"a": 3, "b": 2, "i": 19, "j": 70, "k": 33, "l": 4}
EQUATIONS = (
    "ik,kj->ij",
    "ki,jk->ji",
    "bik,bjk->bij",
    "bik,bjk->bji",
    "abik,abkj->abij",
    "ibk,jbk->bij",
    "aik,bjk->aibj",
    "aibk,jlk->jbail",
    "akil,lkj->aij",
    "bik,kj->bij",
    "bik,jk->bij",
    "...ik,kj->...ij",
    "ik,jk",
    # Rows, columns or a sum are missing, a label is repeated, or one is of one operand alone.
    "ik,ik->i",
    "ik,jl->ijkl",
    "ik,k->i",
    "ii,ij->ij",
    "ika,kj->ij",
    "i,j,k->ijk",
)


def arrays_of(equation):
    random = np.random.default_rng(1)
    terms = equation.split("->")[0].replace("...", "ab").split(",")
    return [random.normal(size=[SIZES[label] for label in term]).astype(np.float32) for term in terms]


def check(compiled, dynamic: bool, constant: bool) -> None:
    nodes, inputs, outputs, initializers, feeds, wanted = [], [], [], [], {}, []
    for number, equation in enumerate(EQUATIONS):
        arrays = arrays_of(equation)
        names = [f"x{number}_{i}" for i in range(len(arrays))]
        for i, (name, array) in enumerate(zip(names, arrays, strict=True)):
            if constant and i > 0:
                initializers.append(numpy_helper.from_array(array, name))
                continue
            dims = [f"{name}_{d}" for d in range(array.ndim)] if dynamic else array.shape
            inputs.append((name, FLOAT, dims))
            feeds[name] = array
        wanted.append(np.einsum(equation, *arrays))
        nodes.append(helper.make_node("Einsum", names, [f"y{number}"], equation=equation))
        outputs.append((f"y{number}", FLOAT, [None] * wanted[-1].ndim))
    model = make_model(nodes, inputs, outputs)
    model.graph.initializer.extend(initializers)
    results = onnxc.InferenceSession(compiled(model)).run(None, feeds)
    for equation, ours, want in zip(EQUATIONS, results, wanted, strict=True):
        assert ours.shape == want.shape, equation
        np.testing.assert_allclose(ours, want, 1e-4, 1e-4, err_msg=equation)


def test_fixed_sizes(compiled) -> None:
    check(compiled, dynamic=False, constant=False)


def test_sizes_of_a_run(compiled) -> None:
    check(compiled, dynamic=True, constant=False)


def test_constants(compiled) -> None:
    check(compiled, dynamic=False, constant=True)


def test_dims_that_differ(compiled) -> None:
    """A dim of 1 is repeated where the model says so; other dims of one label are equal."""
    nodes = [helper.make_node("Einsum", ["x", "one"], ["repeated"], equation="bik,bkj->bij")]
    inputs = [("x", FLOAT, [3, "I", 5]), ("one", FLOAT, [1, 5, "J"])]
    session = onnxc.InferenceSession(compiled(make_model(nodes, inputs, [("repeated", FLOAT, [None] * 3)])))
    random = np.random.default_rng(1)
    x, one = random.normal(size=(3, 9, 5)), random.normal(size=(1, 5, 7))
    feeds = {"x": x.astype(np.float32), "one": one.astype(np.float32)}
    np.testing.assert_allclose(session.run(None, feeds)[0], x @ one, 1e-4, 1e-5)
