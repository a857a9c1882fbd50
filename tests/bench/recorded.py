"""What recording costs: the same work plain, under heapdiff, and under the peers that the machine has.

    HEAPDIFF_BUILD=build python3 tests/bench/recorded.py [--quick] [--only SECTION,...] [--tsv FILE] [--markdown]

Runs take turns, so that a machine that slows down slows all of them; figures are medians of the ratios, or
differences, of runs of the same round, with the smallest and the largest.
"""

import argparse
import operator
import os

import contest

KINDS = ("same", "leaves", "shuffled", "random")


def events(contestants, count):
    command = os.path.join(contest.BENCH, "events")
    with contest.scratch() as directory:
        for kind in KINDS:
            for depth in (10, 40):
                results = contest.rounds(contestants, count, lambda who: float(contest.run(
                    who, [command, kind, str(depth)], directory).output))
                figures = contest.against_base(contestants, results, float, operator.sub)
                for name, figure in figures.items():
                    print("%-9s depth %2d  %-16s +%s ns a pair"
                          % (kind, depth, name, figure.text("%.1f")), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args()
    notes = []
    events(contest.own() + (contest.peers(notes) if options.peers else []), options.rounds)


if __name__ == "__main__":
    main()
