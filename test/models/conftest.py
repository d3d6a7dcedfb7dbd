import subprocess
from pathlib import Path

import pytest
from onnxc import _compile


class Libraries:
    """Compiles each file once a session. A model that does not compile fails each test that needs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: dict[Path, str | None] = {}

    def get(self, model: Path) -> str:
        library = self.folder / f"{model.stem}.so"
        if model not in self.done:
            command = [_compile.find_compiler(), str(model), "-o", str(library)]
            process = subprocess.run(command, capture_output=True, text=True, timeout=300)
            self.done[model] = None if process.returncode == 0 else process.stderr.strip()[-500:]
        if self.done[model] is not None:
            pytest.fail(f"{model.name} does not compile: {self.done[model]}", pytrace=False)
        return str(library)


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Libraries:
    return Libraries(tmp_path_factory.mktemp("models"))
