"""Print how fast funnelsim is, as ratios against what one would otherwise have; run by ``make bench``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict

from benchmarks.comparisons import COMPARISONS
from benchmarks.measuring import Comparison, Result, measure

ROUNDS = 5


def main() -> None:
    """Measure and print."""
    names = [comparison.name for comparison in COMPARISONS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds to take the median of")
    options = parser.parse_args()
    chosen = [comparison for comparison in COMPARISONS if not options.only or comparison.name in options.only]
    if options.json:
        results = [asdict(result) for comparison in chosen for result in measure(comparison, options.rounds)]
        print(json.dumps({"rounds": options.rounds, "results": results}, indent=2))
        return
    print(f"Medians of {options.rounds} rounds taken in turn; ratios of speed to the first line of each group")
    for comparison in chosen:
        _print(comparison, measure(comparison, options.rounds))


def _print(comparison: Comparison, results: Iterable[Result]) -> None:
    print(f"\n{'ratio':>9}  {'goal':>6}  {comparison.items + '/s':>13}  {'seconds':>8}  {comparison.title}")
    for result in results:
        goal = f"{result.goal:.2f}" if result.goal is not None else ""
        print(f"{result.ratio:8.2f}×  {goal:>6}  {result.per_second:13,.0f}  {result.seconds:8.3f}  {result.subject}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
