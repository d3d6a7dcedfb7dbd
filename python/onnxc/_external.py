"""Which external data files a model names: a walk over the protobuf wire format.

The cache key needs this before the compiler is loaded, and nothing else of the model; so there is no need for the
package onnx here.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

# message → field number → the message inside. Numbers are those of onnx.proto.
_GRAPH, _NODE, _ATTRIBUTE, _FUNCTION, _TENSOR, _SPARSE, _MODEL = range(7)
_FIELDS = {
    _MODEL: {7: _GRAPH, 25: _FUNCTION},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _FUNCTION: {7: _NODE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
}
_EXTERNAL_DATA = 13  # in a tensor: key and value pairs


def external_files(path: str) -> list[str]:
    """The locations of the model's external data, sorted, each once. A file that is no protobuf has none: the
    compiler is the one to complain."""
    with open(path, "rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file
            return []
        with data:
            if data.find(b"location") < 0:
                return []
            locations: set[str] = set()
            try:
                _walk(data, 0, len(data), _MODEL, locations)
            except (IndexError, UnicodeDecodeError, RecursionError):
                return []
            return sorted(locations)


def _walk(data: mmap.mmap, begin: int, end: int, message: int, locations: set[str]) -> None:
    inside = _FIELDS.get(message, {})
    for number, first, last in _fields(data, begin, end):
        if message == _TENSOR:
            if number == _EXTERNAL_DATA:
                pair = {n: data[a:b] for n, a, b in _fields(data, first, last)}
                if pair.get(1) == b"location":
                    locations.add(pair.get(2, b"").decode())
        elif number in inside:
            _walk(data, first, last, inside[number], locations)


def _fields(data: mmap.mmap, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The length-delimited fields: number, begin and end of their bytes."""
    while position < end:
        tag, position = _varint(data, position)
        wire = tag & 7
        if wire == 0:
            _, position = _varint(data, position)
        elif wire == 1:
            position += 8
        elif wire == 5:
            position += 4
        elif wire == 2:
            length, position = _varint(data, position)
            if position + length > end:
                raise IndexError
            yield tag >> 3, position, position + length
            position += length
        else:
            raise IndexError


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
        if shift > 63:
            raise IndexError
