"""The onnx package's nine classifiers with random weights agree with ONNX Runtime: as they are, with pictures of any
number and size, and with the picture in the model."""

from pathlib import Path

import light
import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
import zoo

TOLERANCE = 1e-4  # of the largest value, as in test_agreement.py
SIZES = {"static": [(1,)], "dynamic": [(1,), (3,), (2, 256, 288)], "folded": [None]}

onnxruntime.set_default_logger_severity(4)


@pytest.mark.parametrize("mode", SIZES)
@pytest.mark.parametrize("name", light.NAMES)
def test_light(name: str, mode: str, libraries, tmp_path: Path) -> None:
    path = tmp_path / f"{name}-{mode}.onnx"
    onnx.save(light.build(name, mode), path)
    ours = onnxc.InferenceSession(libraries.get(path))
    reference = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in reference.get_outputs()]
    assert len(names) == 4
    for size in SIZES[mode]:
        feeds = {reference.get_inputs()[0].name: light.pictures(*size)} if size else {}
        try:
            expected = reference.run(names, feeds)
        except Exception:
            # Its last products are for one size of pictures.
            assert len(size) > 1
            with pytest.raises(Exception, match="is not"):
                ours.run(names, feeds)
            continue
        for output, a, b in zip(names, ours.run(names, feeds), expected, strict=True):
            assert a.shape == b.shape and np.abs(b).max() > 1e-3, output
            error = zoo.relative_error(a, b)
            assert error <= TOLERANCE, f"output {output}, {size}: relative error {error:.2e}"
    path.unlink()  # half a gigabyte of some
    Path(libraries.get(path)).unlink()
