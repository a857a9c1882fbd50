"""Benchmarks of single kinds of event: each a small program of this folder that prints ns."""

import operator
import os
import re
import subprocess

import contest

KINDS = ("same", "leaves", "shuffled", "tall", "random")
DEPTHS = (5, 10, 20, 40, 60, 80, 100)
THREADS = (1, 2, 8, 32, 128, 256)
LIVE = (1000, 10000, 100000, 1000000, 10000000, 100000000)
ONE_MILLION = ("1000000", "50000")
SPAWNS = 200
SNAPSHOTS = 11
COUNTED_PAIRS = 20000  # under callgrind, which runs 50 times slower
COUNTED_PAIRS_SAMPLED = 800000  # so many that the samples among them do not make a difference by chance

ADDED = ("added ns", lambda run: float(run.output), operator.sub)
CPU = ("CPU ratio", lambda run: run.cpu_ns, operator.truediv)
PEAK = ("RSS ratio", lambda run: run.peak_bytes, operator.truediv)


def program(name):
    return os.path.join(contest.BENCH, name)


class Micro:
    """The sections; each method is one, named as in --only."""

    def __init__(self, outcome, contestants, peers, options):
        self.outcome = outcome
        self.own = contestants
        self.peers = peers
        self.quick = options.quick
        self.rounds = 3 if options.quick else 9
        self.live_most = options.live_most

    def measure(self, section, arguments, count, contestants=None, measures=(ADDED,)):
        """Runs `program arguments` by everyone in turn and adds the figures under the arguments' name."""
        contestants = contestants or self.own
        case = (section, " ".join(map(str, arguments[1:])))
        command = [program(arguments[0]), *map(str, arguments[1:])]
        with contest.scratch() as directory:
            results = contest.rounds(contestants, count,
                                     lambda who: contest.run(who, command, directory))
        for measure in measures:
            self.outcome.add_paired(case, contestants, results, measure)
        return results

    def events(self):
        for kind in KINDS[:2] if self.quick else KINDS:
            for depth in (10, 40):
                with_peers = kind in ("same", "leaves") and not self.quick
                self.measure("events", ("events", kind, depth), self.rounds,
                             self.own + [contest.FLOOR] + (self.peers if with_peers else []))

    def depth(self):
        for depth in DEPTHS[::6] if self.quick else DEPTHS:
            self.measure("depth", ("events", "bare", depth), 3 if self.quick else 5)

    def threads(self):
        """Also how the added time of a pair grows from one thread to many."""
        added = {count: self.measure("threads", ("threads", "pairs", count), self.rounds)
                 for count in ((1, 8, 256) if self.quick else THREADS)}
        for count in (8, 256):
            self.growth(("threads", "pairs %d / 1" % count), added[1], added[count])
        self.measure("threads", ("threads", "cross", 1), self.rounds)
        self.measure("threads", ("threads", "storm", 64), self.rounds)

    def growth(self, place, before, after):
        """By how much the added time of `after` exceeds that of `before`, round by round."""
        for contestant in self.own:
            if contestant.base:
                values = [[ADDED[1](mine) - ADDED[1](base)
                           for mine, base in zip(results[contestant.name], results[contestant.base])]
                          for results in (after, before)]
                self.outcome.add(place, contestant.name, "ratio", list(map(operator.truediv, *values)))

    def calls(self):
        for kind in ("realloc", "calloc", "aligned", "mmap"):
            self.measure("calls", ("calls", kind), self.rounds)

    def live(self):
        """Cost by the number of live blocks; their memory and CPU as a whole."""
        most = 1000000 if self.quick else self.live_most
        sizes = [size for size in LIVE if size <= most]
        for kind in ("random",) if self.quick else ("chain", "random"):
            results = {size: self.measure("live", ("live", kind, size), 3)
                       for size in (sizes[::3] if self.quick else sizes)}
            for size in results:
                if size >= 10000000:
                    self.growth(("live", "%s %d / 1000" % (kind, size)), results[LIVE[0]],
                                results[size])
        for size in sizes:
            self.measure("live", ("live", "once", size), 5 if size <= 1000000 else 3,
                         measures=(CPU, PEAK))

    def start(self):
        """A program that does nothing: the whole of it, and without the profile at its end."""
        fields = (("plain", "ms"), ("heapdiff", "added ms"), ("plain", "CPU ms"),
                  ("heapdiff", "added CPU ms"))
        with contest.scratch() as directory:
            for case, settings in (("/bin/true", []), ("no final profile", ["HEAPDIFF=final=off"])):
                lines = []
                for _ in range(self.rounds):
                    done = subprocess.run(
                        [program("start"), str(SPAWNS // self.rounds), contest.PRELOAD, *settings],
                        cwd=directory, env=contest.clean_environment(), check=True,
                        stdout=subprocess.PIPE)
                    lines.append([float(field) for field in done.stdout.split()])
                for (contestant, measure), values in zip(fields, zip(*lines)):
                    self.outcome.add(("start", case), contestant, measure, values)

    def snapshot(self):
        """One snapshot after another of the same heap, with a thread that allocates all the while."""
        case = ("snapshot", "/".join(ONE_MILLION))
        with contest.scratch() as directory:
            for contestant in self.own[1:]:
                done = contest.run(contestant, [program("snapshot"), *ONE_MILLION,
                                                str(3 if self.quick else SNAPSHOTS)], directory)
                taken, held, unheld, size = zip(*(map(float, line.split())
                                                  for line in done.output.splitlines()))
                for measure, values in (("ms", taken), ("held ms", held),
                                        ("held ms without", unheld), ("profile bytes", size)):
                    self.outcome.add(case, contestant.name, measure, values)

    def machine(self):
        """What the machine gives: clocks, malloc by itself, and the price of reading the clock."""
        fields = []
        for _ in range(self.rounds):
            done = subprocess.run([program("machine")], env=contest.clean_environment(), check=True,
                                  stdout=subprocess.PIPE)
            fields.append([float(field) for field in done.stdout.split()])
        for name, values in zip(("core GHz", "time stamp GHz", "malloc+free ns", "clock call ns"),
                                zip(*fields)):
            self.outcome.add(("machine", os.uname().machine), "plain", name, values)

    def instructions(self):
        """Added instructions of a pair, counted by callgrind: the same in every run of one build."""
        if not contest.have("valgrind"):
            print("  instructions: valgrind is not installed")
            return
        for kind in KINDS[:2]:
            for depth in (10, 40):
                everybody = self.own + [contest.FLOOR]
                counts = {who.name: self.count_pair(who, kind, depth) for who in everybody}
                for who in everybody[1:]:
                    self.outcome.add(("instructions", "%s %d" % (kind, depth)), who.name,
                                     "instructions a pair", [counts[who.name] - counts["plain"]])

    def count_pair(self, contestant, kind, depth):
        """Instructions of a pair: what more pairs cost, so that neither start nor warm-up counts."""
        more = COUNTED_PAIRS if contestant.name == "heapdiff" else COUNTED_PAIRS_SAMPLED
        less = COUNTED_PAIRS
        with contest.scratch() as directory:
            counts = [self.count(contestant, [kind, str(depth), str(pairs)], directory)
                      for pairs in (less, less + more)]
        return (counts[1] - counts[0]) / more

    @staticmethod
    def count(contestant, arguments, directory):
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program("events"),
             *arguments], cwd=directory, env={**contest.clean_environment(), **contestant.variables},
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return int(re.search(rb"Collected : (\d+)", done.stderr).group(1))
