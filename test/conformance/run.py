#!/usr/bin/env python3
"""Runs ONNX's backend tests through onnxc.

usage: run.py [-k SUBSTRING]... [-j JOBS] [--out FOLDER] [--update]

Prints each failure and the counts. --out writes results.md and results.json to a folder. --update writes them here,
and adds what passes to passing.txt (with no -k).
"""

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
for folder in (ROOT / "test", ROOT / "build" / "python"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from cases import load_cases  # noqa: E402
from runner import as_json, print_progress, run_cases, table  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "-k", action="append", default=[], metavar="SUBSTRING", help="cases whose name or operator has it"
    )
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1, metavar="JOBS")
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("-v", action="store_true", help="list refusals too")
    arguments = parser.parse_args()

    cases = load_cases()
    if arguments.k:
        cases = [case for case in cases if any(k in case.name or k == case.operator for k in arguments.k)]
    if not cases:
        parser.error("no case is selected")
    results = run_cases(cases, arguments.j, print_progress(len(cases)))
    if arguments.v:
        for result in results:
            if result.status != "failed":
                print(f"{result.status:8} {result.name} {result.reason}")

    out = HERE if arguments.update and not arguments.k else arguments.out
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "results.md").write_text(table(results))
        (out / "results.json").write_text(json.dumps(as_json(results), indent=1, sort_keys=True) + "\n")
    if arguments.update and not arguments.k:
        known = set((HERE / "passing.txt").read_text().split()) if (HERE / "passing.txt").exists() else set()
        known |= {result.name for result in results if result.status == "passed"}
        (HERE / "passing.txt").write_text("".join(f"{name}\n" for name in sorted(known)))

    counts = Counter(result.status for result in results)
    print(f"{counts['passed']} pass, {counts['refused']} refused, {counts['failed']} fail")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
