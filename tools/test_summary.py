"""Adds up the JUnit files that the suites wrote: test_summary.py FOLDER SUITE...

Prints what failed, why tests were skipped, and last the line "N passed, N failed, N skipped". A suite without a
readable file counts as one failure. The exit status is 1 if anything failed.
"""

import itertools
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

LISTED = 40  # reasons for skips that are printed


def skip_reason(case: ElementTree.Element) -> str:
    """pytest and lit say it in the message; GoogleTest prints it on the line after "FILE:LINE: Skipped"."""
    output = (case.findtext("system-out") or "").splitlines()
    for line, following in itertools.pairwise(output):
        if line.endswith(": Skipped"):
            return following
    skip = case.find("skipped")
    return (skip.get("message") if skip is not None else None) or "no reason given"


def main(folder: str, suites: list[str]) -> int:
    passed = 0
    failures: list[str] = []
    skips: Counter[str] = Counter()
    for suite in suites:
        try:
            cases = list(ElementTree.parse(Path(folder) / f"{suite}.xml").iter("testcase"))
        except (OSError, ElementTree.ParseError) as error:
            failures.append(f"{suite}: the suite did not finish: {error}")
            continue
        for case in cases:
            skip = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                failures.append(f"{suite}: {case.get('classname', '')}.{case.get('name')}")
            elif skip is not None or case.get("status") in ("notrun", "disabled"):
                skips[f"{suite}: {skip_reason(case)}"] += 1
            else:
                passed += 1
    if skips:
        print("\nSkipped:")
        for reason, count in skips.most_common(LISTED):
            print(f"  {count:5}  {reason}")
        if len(skips) > LISTED:
            rest = skips.total() - sum(count for _, count in skips.most_common(LISTED))
            print(f"  {rest:5}  for {len(skips) - LISTED} other reasons: see {folder}")
    if failures:
        print("\nFailed:")
        for name in failures:
            print(f"  {name}")
    print(f"\n{passed} passed, {len(failures)} failed, {sum(skips.values())} skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
