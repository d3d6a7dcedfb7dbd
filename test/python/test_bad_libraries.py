"""Libraries that a session must refuse, judged from their headers before they are opened."""

import struct
from pathlib import Path

import onnxc
import pytest
import small_models
from onnxc import _errors

NOTE = struct.pack("<III", 6, 24, 1) + b"onnxc\0\0\0"  # name size, descriptor size, type, name


@pytest.fixture(scope="module")
def library(compiled) -> bytes:
    return Path(compiled(small_models.affine())).read_bytes()


def patched(library: bytes, offset_in_descriptor: int, data: bytes) -> bytes:
    """The library with another descriptor of its note: abi_version, reserved, cpu_features, file_bytes."""
    assert library.count(NOTE) == 1
    at = library.index(NOTE) + len(NOTE) + offset_in_descriptor
    return library[:at] + data + library[at + len(data) :]


def refuse(data: bytes, tmp_path: Path, *errors: type[Exception]) -> str:
    path = tmp_path / "model.so"
    path.write_bytes(data)
    messages = []
    for source in (str(path), data):
        with pytest.raises(errors) as caught:
            onnxc.InferenceSession(source)
        messages.append(str(caught.value))
        assert "\n" not in messages[-1]
    assert str(path) in messages[0]
    return messages[0]


def test_the_library_itself_is_good(library: bytes, tmp_path: Path) -> None:
    onnxc.InferenceSession(library)


@pytest.mark.parametrize("size", [4, 16, 63, 64, 200, 1000])
def test_truncated_headers(library: bytes, size: int, tmp_path: Path) -> None:
    refuse(library[:size], tmp_path, _errors.InvalidGraph, _errors.Incompatible)


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_truncated(library: bytes, part: float, tmp_path: Path) -> None:
    refuse(library[: int(len(library) * part)], tmp_path, _errors.InvalidGraph)
    refuse(library[:-1], tmp_path, _errors.InvalidGraph)


def test_another_abi_version(library: bytes, tmp_path: Path) -> None:
    assert "99" in refuse(patched(library, 0, struct.pack("<I", 99)), tmp_path, _errors.Incompatible)


def test_another_processor(library: bytes, tmp_path: Path) -> None:
    """All the features that the format has room for: no processor has them."""
    message = refuse(patched(library, 8, b"\xff" * 8), tmp_path, _errors.Incompatible)
    assert "CPU" in message or "processor" in message


def test_another_architecture(library: bytes, tmp_path: Path) -> None:
    refuse(library[:18] + struct.pack("<H", 243) + library[20:], tmp_path, _errors.Incompatible, _errors.InvalidGraph)


def test_not_ours(tmp_path: Path) -> None:
    path = next(Path("/usr/lib").glob("*/libz.so.1"))
    refuse(path.read_bytes(), tmp_path, _errors.InvalidGraph)


def test_no_such_file(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.so", tmp_path):
        with pytest.raises(_errors.NoSuchFile) as caught:
            onnxc.InferenceSession(path)
        assert str(path) in str(caught.value)
