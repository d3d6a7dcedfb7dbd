"""The demonstration; tools/demo sets everything up and calls this.

Compiles the three models of a published OCR package into the compile cache, then reads a picture with that package's
own pipeline twice, in two processes: its sessions served by onnxc, and by onnxruntime.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import onnxc

ROOT = Path(__file__).resolve().parent.parent
READ_PAGE = ROOT / "tools" / "read_page.py"
MODELS = {
    "text detection": "ch_PP-OCRv4_det_infer.onnx",
    "direction": "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "recognition": "ch_PP-OCRv4_rec_infer.onnx",
}


def models_folder() -> Path:
    # Found, not imported: importing the package would import onnxruntime here.
    package = importlib.util.find_spec("rapidocr_onnxruntime")
    if package is None:
        sys.exit("error: the package rapidocr_onnxruntime is missing: call tools/demo, which installs it")
    return Path(package.submodule_search_locations[0]) / "models"


def compile_model(title: str, model: Path) -> None:
    """Always compiles, so that there is something to see, and an older compiler's library is replaced."""
    label = f"  {title:15} {model.name:40} {model.stat().st_size / 1e6:5.1f} MB"
    output = onnxc.cache_path(model)
    outcome: list[BaseException | None] = []

    def work() -> None:
        try:
            onnxc.compile(model, output)
            outcome.append(None)
        except Exception as error:
            outcome.append(error)

    start = time.perf_counter()
    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        if sys.stdout.isatty():
            print(f"\r{label}   compiling, {time.perf_counter() - start:4.1f} s ", end="", flush=True)
        worker.join(0.2)
    seconds = time.perf_counter() - start
    if outcome[0] is not None:
        sys.exit(f"\nerror: {model.name}: {outcome[0]}")
    print(f"{chr(13) if sys.stdout.isatty() else ''}{label} -> {Path(output).stat().st_size / 1e6:5.1f} MB "
          f"of native code and weights in {seconds:.1f} s")  # fmt: skip


def read(picture: Path, stand_in: bool) -> dict:
    command = [sys.executable, *(["-m", "onnxc.run_as_onnxruntime"] if stand_in else []), str(READ_PAGE), str(picture)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if process.returncode != 0:
        sys.exit(f"error: reading the page with {'onnxc' if stand_in else 'onnxruntime'} failed (see above)")
    return json.loads(process.stdout.splitlines()[-1])


def main() -> int:
    picture = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "test" / "models" / "sample.png"
    if not picture.is_file():
        sys.exit(f"error: there is no picture {picture}")
    print("Compiling the three PP-OCRv4 models ahead of time:")
    for title, name in MODELS.items():
        compile_model(title, models_folder() / name)
    print(f"\nReading {picture.relative_to(ROOT) if picture.is_relative_to(ROOT) else picture} …", flush=True)
    ours = read(picture, stand_in=True)
    if ours["onnxruntime_libraries"]:
        sys.exit(f"error: onnxruntime is mapped in onnxc's process: {ours['onnxruntime_libraries']}")
    reference = read(picture, stand_in=False)

    print("\nThe text, read by onnxc:\n")
    for line, score in zip(ours["lines"], ours["scores"], strict=True):
        print(f"  {score:.3f}  {line}")
    print(f"\n  {'':24}{'ready after':>12}{'a page':>12}")
    for title, report in ((f"onnxc {onnxc.__version__}", ours), (f"onnxruntime {reference['version']}", reference)):
        print(f"  {title:24}{report['load_ms']:9.0f} ms{report['page_ms']:9.0f} ms")
    if ours["lines"] != reference["lines"]:
        print("\nonnxruntime reads otherwise:\n")
        for line in reference["lines"]:
            print(f"         {line}")
        return 1
    print("\nonnxruntime reads the same text. No library of onnxruntime was mapped in onnxc's process.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
