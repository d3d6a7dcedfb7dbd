#!/usr/bin/env python3
"""Tests every version of every operator.

usage: run.py [-k OPERATOR]... [-j JOBS] [-v] [--update]

Prints each failure and the counts; -v refusals, too. --update, with no -k, writes results.json here and the table that
is made of it, ../support.md.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
for folder in (HERE.parent, ROOT / "build" / "python"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import support_table  # noqa: E402

from versions.cases import load_tests  # noqa: E402
from versions.results import write_results  # noqa: E402
from versions.runner import run_tests  # noqa: E402


def print_progress(total: int) -> Callable[[int], None]:
    """A line on stderr every few seconds."""
    last = time.monotonic()

    def progress(done: int) -> None:
        nonlocal last
        if time.monotonic() - last > 5:
            last = time.monotonic()
            print(f"  {done} of {total}", file=sys.stderr, flush=True)

    return progress


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", action="append", default=[], metavar="OPERATOR")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1, metavar="JOBS")
    parser.add_argument("-v", action="store_true", help="list refusals, too")
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()

    tests, left_out = load_tests()
    if arguments.k:
        tests = [test for test in tests if test.schema.name in arguments.k]
    if not tests:
        parser.error("no test is selected")
    results = run_tests(tests, arguments.j, print_progress(len(tests)))
    for result in results:
        if result.status == "failed" or (arguments.v and result.status == "refused"):
            print(f"{result.status:8} {result.name}: {result.reason}")
    if arguments.update and not arguments.k:
        write_results(HERE, tests, results, left_out)
        support_table.write()
    counts = Counter(result.status for result in results)
    print(f"{counts['passed']} pass, {counts['refused']} refused, {counts['failed']} fail", end="")
    print(f", {counts['meaningless']} have no meaning" if counts["meaningless"] else "")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
