"""What several folders of tests share."""

import hashlib
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory):
    """compiled(model) is the path of a library made from a ModelProto; equal models are compiled once."""
    folder = tmp_path_factory.mktemp("compiled")

    def compile_model(model, **options) -> str:
        import onnxc

        data = model.SerializeToString()
        name = hashlib.sha256(data + repr(sorted(options.items())).encode()).hexdigest()[:16]
        library = folder / f"{name}.so"
        if not library.exists():
            onnxc.compile(data, library, **options)
        return str(library)

    return compile_model


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty compile cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("ONNXC_CACHE", str(folder))
    return folder


@pytest.fixture
def agree(compiled):
    """agree(model, feeds...): runs a model here and in ONNX Runtime and compares; the results of the last feeds."""
    import numpy as np
    import onnxc
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)

    def flat(values: list):
        """Tensors; of a sequence its length, then its elements."""
        for value in values:
            if isinstance(value, list):
                yield np.array(len(value))
                yield from value
            else:
                yield value

    def run(model, *several: dict) -> list:
        session = onnxc.InferenceSession(compiled(model))
        reference = onnxruntime.InferenceSession(model.SerializeToString())
        for feeds in several:
            results = session.run(None, feeds)
            for result, want in zip(flat(results), flat(reference.run(None, feeds)), strict=True):
                assert result.dtype == want.dtype and result.ndim == want.ndim
                if result.size == want.size == 0:
                    continue  # ONNX Runtime says 0 of dims that it would learn from the first iteration of a loop
                assert result.shape == want.shape
                if result.dtype == object:
                    assert result.tolist() == want.tolist()
                    continue
                np.testing.assert_allclose(result, want, rtol=1e-5, atol=1e-5)
        return results

    return run
