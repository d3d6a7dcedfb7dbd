"""One engine with one model, in a process of its own: engine.py onnxc|onnxruntime FILE MODEL THREADS

MODEL is the name in zoo.py, which tells the inputs. Reads a number of runs per line from stdin and answers with a line
of JSON: their times in milliseconds.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "models"))
import zoo


def main(engine: str, path: str, name: str, threads: str) -> None:
    if engine == "onnxc":
        import onnxc as runtime
    else:
        import onnxruntime as runtime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    start = time.perf_counter()
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    load = time.perf_counter() - start
    model = next(model for model in zoo.models() if model.name == name)
    feeds = model.make_inputs(model.kinds[0], model.bench)
    for _ in range(3):
        session.run(None, feeds)
    print(json.dumps({"load_ms": load * 1e3}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            session.run(None, feeds)
            times.append((time.perf_counter() - start) * 1e3)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
