"""Reads the text of a picture with the package rapidocr_onnxruntime: read_page.py PICTURE [REPEATS]

Prints one object of JSON: the lines of text, the time of a page in milliseconds (the median of REPEATS pages after a
first one), the version that the module onnxruntime names, and which libraries of onnxruntime are mapped into this
process. With `python -m onnxc.run_as_onnxruntime` before it, the sessions are onnxc's; this file does not know of it.
"""

import json
import statistics
import sys
import time

import onnxruntime
from rapidocr_onnxruntime import RapidOCR


def mapped_libraries() -> list[str]:
    marks = ("/onnxruntime/", "libonnxruntime", "onnxruntime_pybind11_state")
    with open("/proc/self/maps") as maps:
        paths = {line.split(maxsplit=5)[5].strip() for line in maps if len(line.split(maxsplit=5)) == 6}
    return sorted(path for path in paths if any(mark in path for mark in marks))


def main(picture: str, repeats: int) -> None:
    start = time.perf_counter()
    engine = RapidOCR()
    load = time.perf_counter() - start
    lines, _ = engine(picture)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        engine(picture)
        times.append(time.perf_counter() - start)
    report = {
        "lines": [text for _, text, _ in lines or []],
        "scores": [round(float(score), 4) for _, _, score in lines or []],
        "load_ms": load * 1e3,
        "page_ms": statistics.median(times) * 1e3,
        "version": onnxruntime.__version__,
        "onnxruntime_libraries": mapped_libraries(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5)
