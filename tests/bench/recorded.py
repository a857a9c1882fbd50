"""What recording costs: the same work plain, under heapdiff, and under the peers that the machine has.

    HEAPDIFF_BUILD=build python3 tests/bench/recorded.py [--quick] [--only SECTION,...] [--tsv FILE] [--markdown]
                                                [--readme FILE]

Runs take turns, so that a machine that slows down slows all of them; figures are medians of the ratios, or
differences, of runs of the same round, with the smallest and the largest. A program's time is its CPU time, user and
system; an event's, the least of many batches (measure.h). Everybody runs with the settings that a user has, and
writes its profile. --markdown prints the README's tables at the end.
"""

import argparse
import os
import sys

import contest
import markdown
import micro
import outcome
import programs

SECTIONS = ("machine", "events", "depth", "threads", "calls", "live", "start", "snapshot",
            "instructions", "programs")


def arguments():
    parser = argparse.ArgumentParser(description="What recording costs.")
    parser.add_argument("--quick", action="store_true", default=bool(os.environ.get("HEAPDIFF_BENCH_QUICK")),
                        help="a few minutes, without peers; so does HEAPDIFF_BENCH_QUICK=1")
    parser.add_argument("--only", default=",".join(SECTIONS), help="of " + ", ".join(SECTIONS))
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--no-slow-peers", action="store_true", help="not those that record it all")
    parser.add_argument("--programs", metavar="NAME,...", help="of the real programs, these")
    parser.add_argument("--rounds", type=int, help="of small benchmarks")
    parser.add_argument("--program-rounds", type=int, help="of real programs")
    parser.add_argument("--live-most", type=int, default=10000000, help="up to 100000000 blocks")
    parser.add_argument("--against", metavar="LIBRARY", help="another libheapdiff.so takes part")
    parser.add_argument("--tsv", metavar="FILE", help="every figure goes there too")
    parser.add_argument("--earlier", metavar="FILE", help="the TSV of a run whose sections are kept")
    parser.add_argument("--markdown", action="store_true", help="the README's tables, at the end")
    parser.add_argument("--readme", metavar="FILE", help="the tables go into it, between its marks")
    options = parser.parse_args()
    options.only = options.only.split(",")
    if not os.path.exists(contest.LAP):
        parser.error("no benchmarks in %s: compile first, and set HEAPDIFF_BUILD" % contest.BUILD)
    unknown = set(options.only) - set(SECTIONS)
    if unknown:
        parser.error("no section is called " + ", ".join(sorted(unknown)))
    return options


def measure(options, result, notes):
    own = contest.own(notes, options.against)
    peers = [] if options.quick or options.no_peers else contest.peers(notes)
    if options.no_slow_peers:
        peers = [peer for peer in peers if not peer.slow]
    small = micro.Micro(result, own, peers, options)
    if options.rounds:
        small.rounds = options.rounds
    for section in SECTIONS:
        if section not in options.only:
            continue
        print(section, flush=True)
        if section == "programs":
            programs.measure(result, own + peers,
                             options.program_rounds or (2 if options.quick else 5),
                             options.programs and options.programs.split(","))
        else:
            getattr(small, section)()


def main():
    options = arguments()
    result, notes = outcome.Outcome(options.tsv), []
    if options.earlier:
        result.read_tsv(options.earlier)
    measure(options, result, notes)
    outcome.print_targets(result)
    for note in notes:
        print("note:", note)
    if options.readme:
        markdown.replace(options.readme, result)
    if options.markdown:
        print()
        markdown.write(sys.stdout, result)


if __name__ == "__main__":
    main()
