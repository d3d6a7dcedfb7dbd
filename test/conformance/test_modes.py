"""What the modes make of a case."""

import pytest
from cases import Case, load_cases
from modes import DoesNotApply, programs


def case(name: str) -> Case:
    return next(case for case in load_cases() if case.name == name)


def dims(value) -> list:
    return [(dim.dim_value, dim.dim_param) for dim in value.type.tensor_type.shape.dim]


def test_dynamic_knows_no_dim() -> None:
    (program,) = programs(case("test_gemm_default_vector_bias"), "dynamic")
    graph = program.model.graph
    sizes = [dim for value in graph.input for dim in dims(value)]
    assert [size for size, _ in sizes] == [0] * 6
    assert len({name for _, name in sizes}) == 6
    assert dims(graph.output[0]) == [(0, ""), (0, "")]
    assert [size for size, _ in dims(case("test_gemm_default_vector_bias").model().graph.input[0])] == [2, 7]


def test_folded_feeds_no_tensor() -> None:
    (program,) = programs(case("test_sequence_insert_at_front"), "folded")
    ((feeds, expected),) = program.data_sets
    assert list(feeds) == [value.name for value in program.model.graph.input] == ["sequence"]
    assert [tensor.name for tensor in program.model.graph.initializer] == ["tensor", "position"]
    assert len(expected) == 1


@pytest.mark.parametrize(
    ("name", "mode", "reason"),
    [
        ("test_constant", "dynamic", "no inputs"),
        ("test_constant", "folded", "no inputs"),
        ("test_range_int32_type_negative_delta", "dynamic", "no input has a dim"),
        ("test_sequence_map_identity_1_sequence", "folded", "an initializer is a tensor"),
    ],
)
def test_what_does_not_apply(name: str, mode: str, reason: str) -> None:
    with pytest.raises(DoesNotApply, match=reason):
        programs(case(name), mode)
