"""What recording costs: the same program plain, under heapdiff, and under heaptrack where it is there.

Runs take turns, so that a machine that slows down slows all of them; figures are medians of the ratios,
or differences, of neighbouring runs, with the smallest and the largest. CPU time, user and system.

    HEAPDIFF_BUILD=build python3 tests/bench/recorded.py [ROUNDS]
"""

import glob
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get("HEAPDIFF_BUILD", "build"))
EVENTS = os.path.join(BUILD, "tests/bench/events")
CXX_SOURCE = "#include <map>\n#include <string>\nstd::map<std::string, int> words;\n"
PYTHON = "import json; print(len(json.dumps([{str(i): [i] * 5} for i in range(60000)])))"


def peers():
    """Name of each recorder and the library it preloads."""
    found = {"heapdiff": os.path.join(BUILD, "src/preload/libheapdiff.so")}
    for path in (glob.glob("/usr/lib/heaptrack/libheaptrack_preload.so") +
                 glob.glob("/usr/lib/*/heaptrack/libheaptrack_preload.so")):
        found["heaptrack"] = path
    return found


def environment(library, directory):
    result = {key: value for key, value in os.environ.items()
              if key not in ("LD_PRELOAD", "HEAPDIFF")}
    result["PYTHONMALLOC"] = "malloc"
    if library:
        result.update(LD_PRELOAD=library, HEAPDIFF="children=on",
                      DUMP_HEAPTRACK_OUTPUT=os.path.join(directory, "heaptrack"))
    return result


def run(command, library, directory):
    """One run: its output and its CPU seconds, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=directory, env=environment(library, directory), check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for path in glob.glob(os.path.join(directory, "*.prof")):
        os.unlink(path)
    return done.stdout.decode(), sum(after[:2]) - sum(before[:2])


def spread(values, form):
    middle = form % statistics.median(values)
    return "%8s  (%s - %s)" % (middle, form % min(values), form % max(values))


def events(rounds, directory):
    print("added ns per malloc+free            median  (min - max)")
    for depth in (10, 20, 40):
        for leaves in (1, 4):
            command = [EVENTS, str(depth), str(leaves), "1000000"]
            added = {name: [] for name in peers()}
            for _ in range(rounds):
                plain = float(run(command, None, directory)[0])
                for name, library in peers().items():
                    added[name].append(float(run(command, library, directory)[0]) - plain)
            for name, values in added.items():
                print("  depth %2d, %d leaves  %-10s  %s"
                      % (depth, leaves, name, spread(values, "%.0f")))


def programs(directory):
    with open(os.path.join(directory, "bench.cc"), "w") as file:
        file.write(CXX_SOURCE)
    found = {"python3": ["/usr/bin/python3", "-c", PYTHON],
             "cc1plus": ["g++", "-O1", "-c", "bench.cc", "-o", "bench.o"],
             "sqlite3": ["sqlite3", ":memory:", "with recursive n(i) as (select 1 union all select "
                         "i + 1 from n where i < 200000) select count(distinct i % 5000) from n;"],
             "perl": ["perl", "-e", "my %h; $h{$_ % 5000} .= 'x' x 20 for 1 .. 500000; "
                                    "print scalar keys %h"]}
    return {name: command for name, command in found.items() if shutil.which(command[0])}


def ratios(rounds, directory):
    print("\nCPU, as a multiple of plain          median  (min - max)")
    for program, command in programs(directory).items():
        times = {name: [] for name in peers()}
        for _ in range(rounds):
            plain = run(command, None, directory)[1]
            for name, library in peers().items():
                times[name].append(run(command, library, directory)[1] / plain)
        for name, values in times.items():
            print("  %-18s  %-10s  %s" % (program, name, spread(values, "%.2f")))


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory(prefix="heapdiff-bench-") as directory:
        events(rounds, directory)
        ratios(rounds, directory)


if __name__ == "__main__":
    main()
