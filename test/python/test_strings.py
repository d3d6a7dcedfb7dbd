"""Tensors of strings, inside a model and at its boundary, against ONNX Runtime."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnxc._errors import InvalidArgument, RuntimeException
from small_models import parse


def texts(*values: str) -> np.ndarray:
    return np.array(values, object)


def test_strings_move_as_numbers_do(agree) -> None:
    model = parse(
        """
    g (string[N, 3] x, string[3] y, bool[3] c, int64[K] i) =>
        (string[N, A] gathered, string[3, N] turned, string[B, 3] joined, string[N, C] part, string[N, 3] chosen,
         string[D] flat, bool[N, 3] same, string[E, 3] repeated, string[2] constant, seq(string[N, F]) rows) {
      gathered = Gather <axis = 1> (x, i)
      turned = Transpose <perm = [1, 0]> (x)
      wide = Constant <value = int64[2] {1, 3}> ()
      row = Reshape(y, wide)
      joined = Concat <axis = 0> (x, row)
      one = Constant <value = int64[1] {1}> ()
      last = Constant <value = int64[1] {9}> ()
      part = Slice(x, one, last, one)
      chosen = Where(c, x, y)
      all = Constant <value = int64[1] {-1}> ()
      flat = Reshape(x, all)
      same = Equal(x, y)
      twice = Constant <value = int64[2] {2, 1}> ()
      repeated = Tile(x, twice)
      constant = Constant <value_strings = ["é", "and"]> ()
      empty = SequenceEmpty <dtype = 8> ()
      s = SequenceInsert(empty, x)
      rows = SequenceInsert(s, gathered)
    }
    """,
        opset=20,
    )
    x = np.array([["a", "b", ""], ["Zürich", "b", "long enough not to be kept in place"]], object)
    y, c, i = texts("a", "b", "日本"), np.array([True, False, True]), np.array([1, 0, -1])
    agree(model, {"x": x, "y": y, "c": c, "i": i}, {"x": x[:0], "y": y, "c": c, "i": i[:0]})
    agree(model, {"x": x.astype(str), "y": y.astype(str), "c": c, "i": i})


def test_rows_of_strings(compiled) -> None:
    """ONNX Runtime's Gather copies the first string of a row only: numpy is the reference."""
    model = parse("g (string[N, 2] x, int64[K] i) => (string[K, 2] y) { y = Gather <axis = 0> (x, i) }")
    x, i = np.array([["a", "b"], ["c", "d"]], object), np.array([1, 0, 1])
    (y,) = onnxc.InferenceSession(compiled(model)).run(None, {"x": x, "i": i})
    assert y.tolist() == x[i].tolist()


def test_branches_and_loops_hand_strings_on(agree) -> None:
    model = parse(
        """
    g (string[N] x, string[N] y, int64 n) => (string[N] z, string[N] last) {
      one = Constant <value = int64 {1}> ()
      more = Less(one, n)
      z = If (more) <
        then_branch = a () => (string[N] p) { p = StringConcat(x, y) },
        else_branch = b () => (string[N] q) { q = Identity(y) }>
      yes = Constant <value = bool {1}> ()
      last = Loop (n, yes, x) <
        body = c (int64 i, bool on, string[N] v) => (bool go, string[N] w) {
          go = Identity(on)
          w = StringConcat(v, y)
        }>
    }
    """,
        opset=20,
    )
    agree(model, *({"x": texts("a", "b"), "y": texts("-", "é"), "n": np.array(n)} for n in (0, 1, 3)))


OPERATORS = """
g (string[N] x, string[M, 1] y) =>
    (string[M, N] joined, string[N, A] words, int64[N] count, string[N, B] fields, int64[N] fieldcount,
     string[C] lower, string[D] kept, bool[N] address) {
  joined = StringConcat(x, y)
  words, count = StringSplit(x)
  fields, fieldcount = StringSplit <delimiter = ", ", maxsplit = 2> (x)
  lower = StringNormalizer <locale = "C.UTF-8", case_change_action = "LOWER", stopwords = ["THE", "Ärger"]> (x)
  kept = StringNormalizer <locale = "C.UTF-8", is_case_sensitive = 1, stopwords = ["the"]> (x)
  address = RegexFullMatch <pattern = "[a-z.]+@[a-z]+\\.(org|com)"> (x)
}
"""


def test_operators_on_strings(agree) -> None:
    x = texts("the", "Plain  words apart ", "ÄRGER", "a.b@c.org", "one, two, three, four", "a@c.orgs", ", ")
    agree(
        parse(OPERATORS, opset=20),
        {"x": x, "y": texts("!", "").reshape(2, 1)},
        {"x": x[:1], "y": texts("").reshape(1, 1)},
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "uint8", "uint64", "bool", "float16"])
def test_numbers_as_strings_and_back(compiled, dtype: str) -> None:
    number = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["s"], to=TensorProto.STRING),
            helper.make_node("Cast", ["s"], ["y"], to=number),
        ],
        "casts",
        [helper.make_tensor_value_info("x", number, ["N"])],
        [
            helper.make_tensor_value_info("s", TensorProto.STRING, ["N"]),
            helper.make_tensor_value_info("y", number, ["N"]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    if np.issubdtype(dtype, np.floating):
        x = np.array([0, -0.0, 1, -2.5, 1 / 3, 1e-7, 65504, np.inf, -np.inf, np.nan, 1e4, 1e-5]).astype(dtype)
    elif dtype == "bool":
        x = np.array([True, False])
    else:
        x = np.array([0, 1, np.iinfo(dtype).min, np.iinfo(dtype).max], dtype)
    strings, back = onnxc.InferenceSession(compiled(model)).run(None, {"x": x})
    want = onnxruntime.InferenceSession(model.SerializeToString()).run(["s"], {"x": x})[0]
    assert strings.tolist() == want.tolist()
    # ONNX Runtime prints 8 digits of a double as well.
    np.testing.assert_array_equal(back, want.astype(float) if dtype == "float64" else x)


def test_numbers_that_users_write(compiled) -> None:
    model = parse("g (string[N] x) => (float[N] f, double[N] d) { f = Cast <to = 1> (x) d = Cast <to = 11> (x) }")
    session = onnxc.InferenceSession(compiled(model))
    written = texts("3.14", "1e-5", " 1E8 ", "+7", "-0.25", "INF", "-inf", "NaN", "1e999")
    want = [3.14, 1e-5, 1e8, 7, -0.25, np.inf, -np.inf, np.nan, np.inf]
    single, double = session.run(None, {"x": written})
    np.testing.assert_array_equal(single, np.array(want, np.float32))
    np.testing.assert_array_equal(double, np.array(want))
    for wrong in ("", "abc", "1.5x", "+-1", "0x10", "1 2"):
        with pytest.raises(RuntimeException, match=f"'{wrong}' is not a number".replace("+", r"\+")):
            session.run(None, {"x": texts("1", wrong)})


def test_mistakes(compiled) -> None:
    session = onnxc.InferenceSession(compiled(parse(OPERATORS, opset=20)))
    y = texts("").reshape(1, 1)
    with pytest.raises(InvalidArgument, match="input 'x': a string contains a NUL character"):
        session.run(None, {"x": texts("a\0b"), "y": y})
    with pytest.raises(InvalidArgument, match="input 'x': expected strings, got an array of dtype float64"):
        session.run(None, {"x": np.ones(2), "y": y})
    with pytest.raises(InvalidArgument, match=r"input 'x': expected shape \[N\], got \[1,1\]"):
        session.run(None, {"x": y, "y": y})
    pattern = parse('g (string[N] x) => (bool[N] y) { y = RegexFullMatch <pattern = "(a"> (x) }', opset=20)
    with pytest.raises(RuntimeException, match=r"RegexFullMatch: the pattern '\(a' is not one of RE2"):
        onnxc.InferenceSession(compiled(pattern)).run(None, {"x": texts("a")})


def test_strings_have_no_sums(compiled) -> None:
    """Nor means between them."""
    for body, reason in (
        ("y = Relu(x)", "cannot be of type|string is not supported by this operator"),
        ('y = Resize<mode = "linear">(x, , s)', "strings cannot be interpolated"),
        (
            'y = Resize<coordinate_transformation_mode = "tf_crop_and_resize">(x, s, s)',
            "extrapolation_value is a number",
        ),
    ):
        with pytest.raises(onnxc.CompileError, match=reason):
            compiled(parse(f"g (string[N] x, float[1] s) => (string[M] y) {{ {body} }}"))


def test_moved_and_sorted_texts(compiled) -> None:
    model = parse("""
    g (string[N] x, string[A, B] m, int64[1] n) => (int64[1, C] where, string[D] large, string[E] u, int64[E] first,
                                           int64[N] group, int64[E] count, string[F, B] rows) {
      where = NonZero(x)
      large = Resize<nearest_mode = "floor", coordinate_transformation_mode = "asymmetric">(x, , , n)
      u, first, group, count = Unique(x)
      rows = Unique<axis = 0, sorted = 0>(m)
    }
    """)
    x = np.array(["b", "", "a", "größe", "b", "B", ""], object)
    m = np.array([["b", "a"], ["a", "b"], ["b", "a"]], object)
    session = onnxc.InferenceSession(compiled(model))
    where, large, u, first, group, count, rows = session.run(None, {"x": x, "m": m, "n": np.array([14])})
    assert where.tolist() == [[0, 2, 3, 4, 5]]
    assert large.tolist() == [text for text in x for _ in range(2)]
    wanted = np.unique(x.astype(str), return_index=True, return_inverse=True, return_counts=True)
    for result, want in zip((u, first, group, count), wanted, strict=True):
        assert result.tolist() == want.tolist()
    assert rows.tolist() == [["b", "a"], ["a", "b"]]


def test_pads_are_empty_texts(compiled) -> None:
    model = parse("""
    g (string[N, 2] x, int64[4] p, string v) => (string[A, B] y, string[A, B] z, string[N, 2] t) {
      y = Pad(x, p)
      z = Pad(x, p, v)
      t = Trilu(x)
    }
    """)
    x, pads = np.array([["a", "b"], ["c", "d"]], object), np.array([0, 1, 0, 0])
    y, z, t = onnxc.InferenceSession(compiled(model)).run(None, {"x": x, "p": pads, "v": np.array("-", object)})
    assert y.tolist() == [["", "a", "b"], ["", "c", "d"]]
    assert z.tolist() == [["-", "a", "b"], ["-", "c", "d"]]
    assert t.tolist() == [["a", "b"], ["", "d"]]


def test_without_the_host_library(compiled, tmp_path: Path) -> None:
    """The package works without it until a model needs it."""
    package = Path(onnxc.__file__).parent
    copy = tmp_path / "onnxc"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("libonnxc_host*", "__pycache__"))
    script = "import numpy, onnxc, sys; onnxc.InferenceSession(sys.argv[1]).run(None, {'x': numpy.array(['a'])})"
    library = compiled(parse("g (string[N] x) => (string[N] y) { y = StringConcat(x, x) }", opset=20))
    process = subprocess.run(
        [sys.executable, "-c", script, library],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 1
    assert "operators on strings need libonnxc_host.so" in process.stderr
    assert f"{copy}/libonnxc_host.so" in process.stderr
