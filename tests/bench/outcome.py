"""The figures of a run: collected, shown as they come, written as TSV or Markdown, held against the targets."""

import collections
import statistics

Figure = collections.namedtuple("Figure", "section case contestant measure median least most runs")
Target = collections.namedtuple("Target", "name section case contestant measure most")

COLUMNS = ("section", "case", "contestant", "measure", "median", "least", "most", "runs")
FORMS = {"CPU ratio": "%.3f", "RSS ratio": "%.3f", "profile bytes": "%.0f",
         "instructions a pair": "%.1f"}


def number(measure, value):
    return FORMS.get(measure, "%.2f") % value


class Outcome:
    """Every figure of a run, in the order of measuring."""

    def __init__(self, tsv_path=None):
        self.figures = []
        self.tsv_path = tsv_path  # always up to date: a run that is stopped is not lost
        self.values = {}  # of each figure, by its place, contestant and measure

    def add(self, place, contestant, measure, values):
        """Keeps the median and range of `values`; `place` is (section, case)."""
        figure = Figure(*place, contestant, measure, statistics.median(values), min(values),
                        max(values), len(values))
        self.figures = [other for other in self.figures if other[:4] != figure[:4]] + [figure]
        self.values[figure[:4]] = values
        if self.tsv_path:
            self.write_tsv(self.tsv_path)
        print("  %-12s %-20s %-16s %-20s %9s  (%s - %s)" % (
            *place, contestant, measure,
            *(number(measure, value) for value in (figure.median, figure.least, figure.most))),
            flush=True)

    def add_paired(self, place, contestants, results, measure):
        """For each contestant with a base: compare(mine, base's of the same round), over the rounds.

        `measure` is (name, value of a run, compare).
        """
        name, value, compare = measure
        for contestant in contestants:
            if contestant.base:
                self.add(place, contestant.name, name, [
                    compare(value(mine), value(base))
                    for mine, base in zip(results[contestant.name], results[contestant.base])])

    def find(self, section, case, contestant, measure):
        """The figure, or None if it was not measured."""
        for figure in self.figures:
            if figure[:4] == (section, case, contestant, measure):
                return figure
        return None

    def geometric_means(self, contestant, measure):
        """Over all programs, one for each round that had them all; none without programs.

        With figures of an earlier run, of which the single rounds are not known, it is that of the medians.
        """
        figures = [figure for figure in self.figures if figure.section == "programs" and
                   figure[2:4] == (contestant, measure) and figure.case != "geometric mean"]
        series = [self.values.get(figure[:4]) or [figure.median] for figure in figures]
        return [statistics.geometric_mean(values) for values in zip(*series)]

    def read_tsv(self, path):
        """Takes over the figures of an earlier run; what is measured now replaces them."""
        with open(path) as file:
            for line in file.read().splitlines()[1:]:
                *place, median, least, most, runs = line.split("\t")
                self.figures.append(Figure(*place, float(median), float(least), float(most), int(runs)))

    def write_tsv(self, path):
        with open(path, "w") as file:
            file.write("\t".join(COLUMNS) + "\n")
            for figure in self.figures:
                file.write("\t".join("%.9g" % field if isinstance(field, float) else str(field)
                                     for field in figure) + "\n")


EXACT, SAMPLED, FLOOR = "heapdiff", "heapdiff 512k", "interposition alone"
ADDED = "added ns"
TARGETS = (
    Target("exact, same stack, depth 10", "events", "same 10", EXACT, ADDED, 9),
    Target("exact, same stack, depth 40", "events", "same 40", EXACT, ADDED, 16),
    Target("exact, 3 new frames, depth 10", "events", "leaves 10", EXACT, ADDED, 24),
    Target("exact, 3 new frames, depth 40", "events", "leaves 40", EXACT, ADDED, 32),
    Target("8 threads against 1, added ns (5 % is noise)", "threads", "pairs 8 / 1", EXACT, "ratio", 1.05),
    Target("256 threads against 1", "threads", "pairs 256 / 1", EXACT, "ratio", 1.05),
    Target("10 million live blocks against 1000", "live", "chain 10000000 / 1000", EXACT, "ratio",
           1.05),
    Target("the same, replaced in random order", "live", "random 10000000 / 1000", EXACT, "ratio", 1.05),
    Target("python3, every object malloced", "programs", "python3", EXACT, "CPU ratio", 1.30),
    Target("cc1plus -O1", "programs", "cc1plus", EXACT, "CPU ratio", 1.10),
    Target("redis-server", "programs", "redis-server", EXACT, "CPU ratio", 1.25),
    Target("programs, geometric mean", "programs", "geometric mean", EXACT, "CPU ratio", 1.35),
    Target("10 million blocks of 64 bytes, memory", "live", "once 10000000", EXACT, "RSS ratio", 1.25),
    Target("the same, heapdiff's share of the heap", "live", "once 10000000", EXACT, "RSS ratio", 1.125),
    Target("10 million blocks of 64 bytes, CPU", "live", "once 10000000", EXACT, "CPU ratio", 2.0),
    Target("sampling, a pair", "events", "same 10", SAMPLED, ADDED, 1.0),
    Target("of which interposition alone", "events", "same 10", FLOOR, ADDED, None),
    Target("sampling, instructions a pair", "instructions", "same 10", SAMPLED,
           "instructions a pair", 14),
    Target("of which interposition alone", "instructions", "same 10", FLOOR, "instructions a pair", None),
    Target("sampling, programs, geometric mean", "programs", "geometric mean", SAMPLED, "CPU ratio",
           1.005),
    Target("start-up, ms", "start", "/bin/true", EXACT, "added ms", 3),
    Target("snapshot of a million blocks, ms", "snapshot", "1000000/50000", EXACT, "ms", 50),
    Target("of which another thread's malloc, ms", "snapshot", "1000000/50000", EXACT, "held ms", 5),
)


def verdicts(outcome):
    """Yields (target, figure or None, "met", "not met", "not measured", or "" without a bar)."""
    for target in TARGETS:
        figure = outcome.find(*target[1:5])
        verdict = "not measured"
        if figure and target.most is None:
            verdict = ""
        elif figure:
            verdict = "met" if figure.median <= target.most else "not met"
        yield target, figure, verdict


def bar(target):
    return "-" if target.most is None else "%g" % target.most


def print_targets(outcome):
    print("\ntargets%44s %9s %9s  (min - max)" % ("", "bar", "median"))
    for target, figure, verdict in verdicts(outcome):
        measured = "-"
        if figure:
            measured = "%9s  (%s - %s)" % tuple(number(target.measure, value)
                                                for value in figure[4:7])
        print("  %-48s %9s %-32s %s" % (target.name, bar(target), measured, verdict))
