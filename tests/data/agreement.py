"""The report's tables agree with `go tool pprof`, row by row, on profiles that Go wrote."""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
COMMAND = os.path.join(os.path.abspath(os.environ.get("HEAPDIFF_BUILD", "build")),
                       "src/cli/heapdiff")
OLD, NEW = os.path.join(HERE, "go_old.pb.gz"), os.path.join(HERE, "go_new.pb.gz")

# Given to both, with one dash.
CASES = ["", "-cum", "-inuse_objects", "-alloc_space", "-sample_index=alloc_objects", "-lines",
         "-files", "-addresses", "-focus=leak|grow", "-ignore=main.fill", "-focus=grow -cum",
         "-relative_percentages -focus=fill"]
BASES = ["", "-base=" + OLD, "-diff_base=" + OLD, "-normalize -base=" + OLD]


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60,
                          env={**os.environ, "HOME": "/nonexistent", "NO_COLOR": "1"}).stdout


def pprof_rows(arguments):
    """[(flat, flat %, cum, cum %, name)] of -top, every node."""
    text = run("go", "tool", "pprof", "-symbolize=none", "-top", "-nodefraction=0",
               "-nodecount=1000000", "-unit=B", *arguments, NEW)
    rows = []
    for line in text[text.index("flat%"):].splitlines()[1:]:
        flat, flat_percent, _, cum, cum_percent, name = line.split(None, 5)
        rows.append((int(flat.rstrip("B")), float(flat_percent.rstrip("%")),
                     int(cum.rstrip("B")), float(cum_percent.rstrip("%")),
                     name.replace(" (inline)", "").replace(" (partial-inline)", "")))
    return rows


def our_rows(arguments):
    report = json.loads(run(COMMAND, "--json", "-top", *arguments, NEW))
    rows = []
    for row in report["rows"]:
        name = row["function"]
        if "-lines" in arguments or "-addresses" in arguments:
            name += " %s:%d" % (row["file"], row["line"])
        if "-files" in arguments:
            name = row["file"]
        rows.append((row["flat"], row["flat_percent"], row["cum"], row["cum_percent"], name))
    return rows


def same_percent(ours, theirs):
    """pprof prints magnitudes, two decimals, and two digits below 1 %; whole from 99.95 on."""
    return abs(abs(ours) - theirs) <= max(0.0051, 0.051 if theirs > 99.9 else 0, theirs * 0.051
                                          if theirs < 1 else 0)


def compare(arguments):
    theirs, ours = pprof_rows(arguments), our_rows(arguments)
    if "-addresses" in arguments:
        theirs = [(*row[:4], row[4].split(None, 1)[1]) for row in theirs]
    problems = []
    if sorted((row[0], row[2], row[4]) for row in ours) != \
            sorted((row[0], row[2], row[4]) for row in theirs):
        problems.append("rows differ: ours only %s, pprof's only %s"
                        % (sorted(set(map(key, ours)) - set(map(key, theirs))),
                           sorted(set(map(key, theirs)) - set(map(key, ours)))))
    elif "-addresses" not in arguments and \
            [(row[0], row[2], row[4]) for row in ours] != [(row[0], row[2], row[4])
                                                           for row in theirs]:
        problems.append("another order")
    for our, their in zip(sorted(ours, key=key), sorted(theirs, key=key)):
        if not same_percent(our[1], their[1]) or not same_percent(our[3], their[3]):
            problems.append("percent: ours %s, pprof's %s" % (our, their))
    return problems, len(theirs)


def key(row):
    return row[0], row[2], row[4]


def main():
    if not shutil.which("go"):
        print("no go")
        return 77
    bad = rows = 0
    for base in BASES:
        for case in CASES:
            arguments = (base + " " + case).split()
            problems, count = compare(arguments)
            rows += count
            bad += bool(problems)
            for problem in problems:
                print(" ".join(arguments) or "(none)", "--", problem)
    print("%d of %d tables differ; %d rows compared" % (bad, len(BASES) * len(CASES), rows))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
