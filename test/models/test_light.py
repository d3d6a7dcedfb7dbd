"""The onnx package's nine classifiers agree with ONNX Runtime, at batch 1 and 3."""

from pathlib import Path

import light
import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
import zoo

TOLERANCE = 1e-4  # of the largest value, as in test_agreement.py

onnxruntime.set_default_logger_severity(4)


@pytest.mark.parametrize("name", light.NAMES)
def test_light(name: str, libraries, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.onnx"
    onnx.save(light.build(name), path)
    ours = onnxc.InferenceSession(libraries.get(path))
    reference = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in reference.get_outputs()]
    assert len(names) == 4
    for batch in (1, 3):
        feeds = {reference.get_inputs()[0].name: light.pictures(batch)}
        expected = reference.run(names, feeds)
        for output, a, b in zip(names, ours.run(names, feeds), expected, strict=True):
            assert a.shape == b.shape and np.abs(b).max() > 1e-3, output
            error = zoo.relative_error(a, b)
            assert error <= TOLERANCE, f"output {output}, batch {batch}: relative error {error:.2e}"
    path.unlink()  # half a gigabyte of some
    Path(libraries.get(path)).unlink()
