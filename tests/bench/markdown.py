"""The README's tables of a run."""

import datetime
import io
import os

import outcome

CONTESTANTS = ("heapdiff", "heapdiff 512k", "interposition alone", "heaptrack", "gperftools all", "gperftools 512k",
               "jeprof all", "jeprof 512k")
BEGIN, END = "<!-- tests/bench/recorded.py writes this -->", "<!-- up to here -->"
EVENTS = ("same 10", "same 40", "leaves 10", "leaves 40")


def processor():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return os.uname().machine


def short(measure, value):
    """As in the tables that are not about the targets."""
    if measure == "profile bytes":
        return "%.0f KiB" % (value / 1024) if value < 10 << 20 else "%.0f MiB" % (value / (1 << 20))
    return ("%.2f" if abs(value) < 10 else "%.1f" if value < 100 else "%.0f") % value


def row(out, cells):
    out.write("| " + " | ".join(cells) + " |\n")


def targets(out, result):
    row(out, ("target", "bar", "median", "min - max", ""))
    row(out, ("---", "--:", "--:", "--:", "---"))
    for target, figure, verdict in outcome.verdicts(result):
        median, spread = "-", "-"
        if figure:
            numbers = [outcome.number(target.measure, value) for value in figure[4:7]]
            median, spread = numbers[0], "%s - %s" % tuple(numbers[1:])
        row(out, (target.name, outcome.bar(target), median, spread, verdict))


def matrix(out, result, cases, measure):
    """Cases down, contestants across; `cases` are (section, case)."""
    present = [name for name in CONTESTANTS
               if any(result.find(*case, name, measure) for case in cases)]
    row(out, [measure] + present)
    row(out, ["---"] + ["--:"] * len(present))
    for case in cases:
        figures = [result.find(*case, name, measure) for name in present]
        if any(figures):
            row(out, [case[1]] + [short(measure, figure.median) if figure else "-"
                                  for figure in figures])


def write(out, result):
    programs = []
    for figure in result.figures:
        if figure.section == "programs" and figure[:2] not in programs:
            programs.append(figure[:2])
    out.write("%s, %s, %d cores.\n\n" % (datetime.date.today().isoformat(), processor(),
                                         os.cpu_count()))
    targets(out, result)
    for cases, measure in (([("events", kind) for kind in EVENTS], "added ns"),
                           (programs, "CPU ratio"), (programs, "RSS ratio"),
                           (programs, "profile bytes")):
        if any(result.find(*case, name, measure) for case in cases for name in CONTESTANTS):
            out.write("\n")
            matrix(out, result, cases, measure)


def replace(path, result):
    """Puts the tables between the marks that the file has for them."""
    with open(path) as file:
        before, rest = file.read().split(BEGIN, 1)
        after = rest.split(END, 1)[1]
    tables = io.StringIO()
    write(tables, result)
    with open(path, "w") as file:
        file.write(before + BEGIN + "\n" + tables.getvalue() + END + after)
