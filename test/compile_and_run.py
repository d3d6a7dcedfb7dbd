"""Compiles a model and runs what comes of it, each in a process of its own: a crash of either is a result."""

from __future__ import annotations

import os
import pickle
import re
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMPILE_TIMEOUT = 60.0
RUN_TIMEOUT = 30.0

# Errors of the compiler's own making: status 1 and one line, but no refusal.
INTERNAL = re.compile(
    r"failed to legalize|internal error|failed to verify|unregistered|LLVM ERROR|expects? different type|"
    r"op operand #|does not dominate|unresolved materialization|unrealized_conversion_cast|undefined symbol|"
    r"^'[a-z_]+\.[a-z_.]+' op ",
    re.IGNORECASE,
)


class RunFailed(Exception):
    """The process that ran a model crashed or took too long."""


def compile_model(compiler: str, model: Path, library: Path) -> tuple[str, str]:
    """("compiled", ""), or "refused" (status 1 and one line) or "failed" with the message."""
    try:
        process = subprocess.run(
            [compiler, str(model), "-o", str(library)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMPILE_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return "failed", f"compiling took more than {COMPILE_TIMEOUT:.0f} s"
    if process.returncode == 0:
        return "compiled", ""
    lines = [line for line in process.stderr.splitlines() if line.strip()]
    message = lines[-1] if lines else "no message"
    if process.returncode < 0:
        return "failed", f"the compiler crashed: {signal.Signals(-process.returncode).name}: {message}"
    if process.returncode != 1 or len(lines) != 1:
        return "failed", f"the compiler ended with {process.returncode} and {len(lines)} lines: {message}"
    message = re.sub(r"^(?:\S*onnx-compile: )?(?:error: )?", "", message).replace(str(model), "model")
    return ("failed" if INTERNAL.search(message) else "refused"), message


def in_child(function: Callable[[], Any]) -> Any:
    """What `function` returns, from a child; raises RunFailed if there comes nothing."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        try:
            answer = (True, function())
        except BaseException as error:
            answer = (False, one_line(f"{type(error).__name__}: {error}"))
        with os.fdopen(writer, "wb") as stream:
            pickle.dump(answer, stream)
        os._exit(0)
    os.close(writer)
    answer = None
    with os.fdopen(reader, "rb") as stream:
        if select.select([stream], [], [], RUN_TIMEOUT)[0]:
            data = stream.read()
            answer = pickle.loads(data) if data else None
        else:
            os.kill(child, signal.SIGKILL)
            answer = (False, f"the run took more than {RUN_TIMEOUT:.0f} s")
    _, status = os.waitpid(child, 0)
    if answer is None:
        end = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"status {status}"
        answer = (False, f"the run crashed: {end}")
    if not answer[0]:
        raise RunFailed(answer[1])
    return answer[1]


def one_line(text: str) -> str:
    return " ".join(text.split())[:300]
