#!/usr/bin/env python3
"""Runs ONNX's backend tests through onnxc.

usage: run.py [-k SUBSTRING]... [-m MODE]... [-j JOBS] [-v] [--out FOLDER] [--update]

Prints each failure and the counts. --out writes results.json, case by case, to a folder. --update, of all cases in
all modes, writes results.json here, the table that is made of it (../support.md) and the README's sentence, and adds
what passes to passing.txt.
"""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
for folder in (ROOT / "test", ROOT / "build" / "python"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import support  # noqa: E402
from cases import load_cases  # noqa: E402
from modes import MODES  # noqa: E402
from runner import print_progress, run_cases, write_each  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "-k", action="append", default=[], metavar="SUBSTRING", help="cases whose name or operator has it"
    )
    parser.add_argument("-m", action="append", default=[], choices=MODES, help="in these modes, not all")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1, metavar="JOBS")
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("-v", action="store_true", help="list what is not failed, too")
    arguments = parser.parse_args()
    if arguments.update and (arguments.k or arguments.m):
        parser.error("--update is for all cases in all modes")

    cases = [
        case
        for case in load_cases()
        if not arguments.k or any(k in case.name or k == case.operator for k in arguments.k)
    ]
    if not cases:
        parser.error("no case is selected")
    jobs = [(case, mode) for case in cases for mode in arguments.m or MODES]
    results = run_cases(jobs, arguments.j, print_progress(len(jobs)))
    if arguments.v:
        for result in results:
            if result.status != "failed":
                print(f"{result.status:12} {result.mode:7} {result.name} {result.reason}")

    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_each(arguments.out / "results.json", results)
    if arguments.update:
        support.update(cases, results)

    for mode in arguments.m or MODES:
        counts = Counter(result.status for result in results if result.mode == mode)
        print(
            f"{mode}: {counts['passed']} pass, {counts['refused']} refused, {counts['failed']} fail"
            + (f", {counts['inapplicable']} do not apply" if counts["inapplicable"] else "")
        )
    return 1 if any(result.status == "failed" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
