"""Who takes part in a benchmark, and one run of a command by each of them.

A contestant is an environment, and the contestant that it is compared with: recorders with an allocator of their
own are compared with that allocator, the others with the plain program.
"""

import collections
import glob
import os
import shutil
import statistics
import subprocess
import tempfile

BUILD = os.path.abspath(os.environ.get("HEAPDIFF_BUILD", "build"))
BENCH = os.path.join(BUILD, "tests/bench")
PRELOAD = os.path.join(BUILD, "src/preload/libheapdiff.so")
LAP = os.path.join(BENCH, "lap")
RECORDERS = ("LD_PRELOAD", "HEAPDIFF", "MALLOC_CONF", "HEAPPROFILE", "DUMP_HEAPTRACK_OUTPUT",
             "TCMALLOC_SAMPLE_PARAMETER")

Contestant = collections.namedtuple("Contestant", "name base variables")
Run = collections.namedtuple("Run", "output cpu_ns peak_bytes wall_ns profile_bytes")


def library(*patterns):
    """The first file there is by one of the patterns, or None."""
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            return path
    return None


def knows_sampling():
    """Whether this libheapdiff.so has the option `sample`."""
    done = subprocess.run(["/bin/true"], env={"LD_PRELOAD": PRELOAD, "HEAPDIFF": "help"}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return b"\n  sample=" in b"\n" + done.stdout


def jemalloc_profiles(path):
    """Whether this jemalloc was built with its profiler."""
    done = subprocess.run(["/bin/true"], env={"LD_PRELOAD": path, "MALLOC_CONF": "stats_print:true"},
                          check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return b"config.prof: true" in done.stderr


def own():
    """Plain, and heapdiff's ways of recording."""
    found = [Contestant("plain", None, {}),
             Contestant("heapdiff", "plain", {"LD_PRELOAD": PRELOAD})]
    if knows_sampling():
        found.append(Contestant("heapdiff 512k", "plain",
                                {"LD_PRELOAD": PRELOAD, "HEAPDIFF": "sample=512k"}))
    return found


def peers(notes):
    """The recorders that this machine has; what is missing is added to `notes`."""
    found = []
    heaptrack = library("/usr/lib/heaptrack/libheaptrack_preload.so",
                        "/usr/lib/*/heaptrack/libheaptrack_preload.so")
    if heaptrack:
        found.append(Contestant("heaptrack", "plain", {
            "LD_PRELOAD": heaptrack, "DUMP_HEAPTRACK_OUTPUT": "{directory}/peer.heaptrack"}))
    else:
        notes.append("heaptrack: not installed")
    minimal = library("/usr/lib/*/libtcmalloc_minimal.so.4")
    full = library("/usr/lib/*/libtcmalloc.so.4")
    if minimal and full:
        found += [
            Contestant("tcmalloc", None, {"LD_PRELOAD": minimal}),
            Contestant("gperftools all", "tcmalloc", {
                "LD_PRELOAD": full, "HEAPPROFILE": "{directory}/peer.gperftools"}),
            Contestant("gperftools 512k", "tcmalloc", {
                "LD_PRELOAD": full, "TCMALLOC_SAMPLE_PARAMETER": "524288"})]
    else:
        notes.append("gperftools: not installed")
    jemalloc = library("/usr/lib/*/libjemalloc.so.2")
    if jemalloc and jemalloc_profiles(jemalloc):
        form = "prof:true,prof_final:true,prof_prefix:{directory}/peer.jeprof,lg_prof_sample:%d"
        found += [Contestant("jemalloc", None, {"LD_PRELOAD": jemalloc}),
                  Contestant("jeprof all", "jemalloc",
                             {"LD_PRELOAD": jemalloc, "MALLOC_CONF": form % 0}),
                  Contestant("jeprof 512k", "jemalloc",
                             {"LD_PRELOAD": jemalloc, "MALLOC_CONF": form % 19})]
    else:
        notes.append("jemalloc: %s" % ("built without prof" if jemalloc else "not installed"))
    return found


def clean_environment():
    return {key: value for key, value in os.environ.items() if key not in RECORDERS}


def take_profiles(directory):
    """Deletes what recorders wrote and returns its bytes."""
    total = 0
    for path in glob.glob(directory + "/*.prof") + glob.glob(directory + "/peer.*"):
        total += os.path.getsize(path)
        os.unlink(path)
    return total


def lap_command(contestant, command, directory, variables):
    """The command under `lap`, in the contestant's environment."""
    settings = dict(variables)
    settings.update(contestant.variables)
    return ([LAP, directory + "/lap"] +
            ["%s=%s" % (key, value.replace("{directory}", directory))
             for key, value in settings.items()] + ["--"] + command)


def lap_read(directory):
    with open(directory + "/lap") as file:
        cpu_ns, peak_kib, wall_ns = map(int, file.read().split())
    return cpu_ns, peak_kib * 1024, wall_ns


def run(contestant, command, directory, variables=None):
    """One run of the command; raises if it fails."""
    done = subprocess.run(lap_command(contestant, command, directory, variables or {}),
                          cwd=directory, env=clean_environment(), check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    cpu_ns, peak_bytes, wall_ns = lap_read(directory)
    return Run(done.stdout.decode(errors="replace"), cpu_ns, peak_bytes, wall_ns,
               take_profiles(directory))


def rounds(contestants, count, once):
    """once(contestant) for each contestant in turn, `count` times: {name: [result of each round]}.

    The order rotates, so that nobody always comes after the same neighbour.
    """
    results = {contestant.name: [] for contestant in contestants}
    for number in range(count):
        shift = number % len(contestants)
        for contestant in contestants[shift:] + contestants[:shift]:
            results[contestant.name].append(once(contestant))
    return results


class Figure(collections.namedtuple("Figure", "median least most")):
    """A median with the range it comes from."""

    @classmethod
    def of(cls, values):
        return cls(statistics.median(values), min(values), max(values))

    def text(self, form="%.2f"):
        return "%s (%s - %s)" % tuple(form % value for value in self)


def against_base(contestants, results, value, compare):
    """{name: Figure of compare(value(run), value(base's run in the same round))}."""
    figures = {}
    for contestant in contestants:
        if contestant.base:
            figures[contestant.name] = Figure.of([
                compare(value(mine), value(base))
                for mine, base in zip(results[contestant.name], results[contestant.base])])
    return figures


def scratch():
    return tempfile.TemporaryDirectory(prefix="heapdiff-bench-")


def have(program):
    return shutil.which(program) is not None
