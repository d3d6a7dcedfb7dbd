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
