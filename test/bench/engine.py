"""One engine with one model, in a process of its own: engine.py onnxc|onnxruntime|openvino FILE INPUTS THREADS CLOCK

INPUTS is an .npz file with the input of each name, CLOCK the function of the module time that measures runs. Says
first, as a line of JSON, how long it took from importing the engine to the end of the first run. Then reads a number of
runs per line from stdin and answers with a line of JSON: their times in milliseconds. At the end of the input it prints
the peak of its resident memory in MB.
"""

import json
import sys
import time

import numpy  # before the clock starts: its import is no engine's time


def load_session(runtime, path: str, threads: int):
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds)


def load_onnxc(path: str, threads: int):
    import onnxc

    return load_session(onnxc, path, threads)


def load_onnxruntime(path: str, threads: int):
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    return load_session(onnxruntime, path, threads)


def load_openvino(path: str, threads: int):
    import openvino

    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    request = openvino.Core().compile_model(path, "CPU", options).create_infer_request()
    return request.infer


ENGINES = {"onnxc": load_onnxc, "onnxruntime": load_onnxruntime, "openvino": load_openvino}


def peak_megabytes() -> float:
    """Of this program's resident memory: what getrusage tells begins with that of the process which forked it."""
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def milliseconds(run, feeds, clock) -> float:
    start = clock()
    run(feeds)
    return (clock() - start) * 1e3


def main(engine: str, path: str, inputs: str, threads: str, clock: str) -> None:
    with numpy.load(inputs) as file:
        feeds = dict(file)
    start = time.perf_counter()
    run = ENGINES[engine](path, int(threads))
    run(feeds)
    print(json.dumps((time.perf_counter() - start) * 1e3), flush=True)
    for line in sys.stdin:
        print(json.dumps([milliseconds(run, feeds, getattr(time, clock)) for _ in range(int(line))]), flush=True)
    print(json.dumps(peak_megabytes()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
