"""Print the speed of funnelsim as ratios to yardsticks; run by ``make bench``."""

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
    parser.add_argument("--long", action="store_true", help="include comparisons that take many minutes")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds to take the median of")
    options = parser.parse_args()
    chosen = [comparison for comparison in COMPARISONS if _is_chosen(comparison, options.only, options.long)]
    if options.json:
        results = [asdict(result) for comparison in chosen for result in measure(comparison, options.rounds)]
        print(json.dumps({"rounds": options.rounds, "results": results}, indent=2))
        return
    print(f"Medians of {options.rounds} interleaved rounds; ratios of speed to the first line of each group")
    for comparison in chosen:
        _print(comparison, measure(comparison, options.rounds))


def _is_chosen(comparison: Comparison, only: list[str] | None, long: bool) -> bool:  # noqa: FBT001 - an option
    return comparison.name in only if only else long or not comparison.is_long


def _print(comparison: Comparison, results: Iterable[Result]) -> None:
    ratio = "ratio" if comparison.of == "speed" else comparison.of
    columns = f"{'goal':>7}  {comparison.items + '/s':>13}  {'seconds':>8}  {'peak MiB':>8}"
    print(f"\n{ratio:>9}  {columns}  {comparison.title}")
    sign = "≥" if comparison.of == "speed" else "≤"
    for result in results:
        goal = f"{sign} {result.goal:.2f}" if result.goal is not None else ""
        peak = f"{result.peak_mib:,.0f}" if result.peak_mib is not None else ""
        figures = f"{goal:>7}  {result.per_second:13,.0f}  {result.seconds:8.3f}  {peak:>8}"
        print(f"{result.ratio:8.2f}×  {figures}  {result.subject}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
