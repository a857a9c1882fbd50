"""Who takes part in a benchmark, and one run of a command by each of them.

A contestant is an environment, and the contestant that it is compared with: recorders with an allocator of their
own are compared with that allocator, the others with the plain program.
"""

import collections
import glob
import os
import shutil
import subprocess
import tempfile

BUILD = os.path.abspath(os.environ.get("HEAPDIFF_BUILD", "build"))
BENCH = os.path.join(BUILD, "tests/bench")
PRELOAD = os.path.join(BUILD, "src/preload/libheapdiff.so")
PASS = os.path.join(BENCH, "libpass.so")
LAP = os.path.join(BENCH, "lap")
RECORDERS = ("LD_PRELOAD", "HEAPDIFF", "MALLOC_CONF", "HEAPPROFILE", "DUMP_HEAPTRACK_OUTPUT",
             "TCMALLOC_SAMPLE_PARAMETER")
SAMPLING = "sample=512k"
SLOW_ROUNDS = 1  # of recorders that take ten to a hundred times as long as the program

Contestant = collections.namedtuple("Contestant", "name base variables slow", defaults=(False,))
# What a hook costs that does nothing: the floor of everybody who is preloaded on the program's own allocator.
FLOOR = Contestant("interposition alone", "plain", {"LD_PRELOAD": PASS})
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


def own(notes, other_build=None):
    """Plain, and heapdiff's ways of recording, as a user has them: with every default."""
    found = [Contestant("plain", None, {}),
             Contestant("heapdiff", "plain", {"LD_PRELOAD": PRELOAD})]
    if other_build:
        found.append(Contestant("heapdiff before", "plain",
                                {"LD_PRELOAD": os.path.abspath(other_build)}))
    if knows_sampling():
        found.append(Contestant("heapdiff 512k", "plain",
                                {"LD_PRELOAD": PRELOAD, "HEAPDIFF": SAMPLING}))
    else:
        notes.append("heapdiff 512k: this build has no option `sample`")
    return found


def heaptrack_peer(notes):
    preload = library("/usr/lib/heaptrack/libheaptrack_preload.so",
                      "/usr/lib/*/heaptrack/libheaptrack_preload.so")
    if not preload:
        notes.append("heaptrack: not installed")
        return []
    notes.append("heaptrack: its library alone; its interpreter, a second process, is not counted")
    return [Contestant("heaptrack", "plain", {
        "LD_PRELOAD": preload, "DUMP_HEAPTRACK_OUTPUT": "{directory}/peer.heaptrack"})]


def gperftools_peers(notes):
    minimal = library("/usr/lib/*/libtcmalloc_minimal.so.4")
    full = library("/usr/lib/*/libtcmalloc.so.4")
    if not minimal or not full:
        notes.append("gperftools: not installed")
        return []
    return [Contestant("tcmalloc", None, {"LD_PRELOAD": minimal}),
            Contestant("gperftools all", "tcmalloc", {
                "LD_PRELOAD": full, "HEAPPROFILE": "{directory}/peer.gperftools"}, True),
            Contestant("gperftools 512k", "tcmalloc", {
                "LD_PRELOAD": full, "TCMALLOC_SAMPLE_PARAMETER": "524288"})]


def jemalloc_peers(notes):
    path = library("/usr/lib/*/libjemalloc.so.2")
    if not path or not jemalloc_profiles(path):
        notes.append("jemalloc: %s" % ("built without its profiler" if path else "not installed"))
        return []
    form = "prof:true,prof_final:true,prof_prefix:{directory}/peer.jeprof,lg_prof_sample:%d"
    return [Contestant("jemalloc", None, {"LD_PRELOAD": path}),
            Contestant("jeprof all", "jemalloc",
                       {"LD_PRELOAD": path, "MALLOC_CONF": form % 0}, True),
            Contestant("jeprof 512k", "jemalloc",
                       {"LD_PRELOAD": path, "MALLOC_CONF": form % 19})]


def peers(notes):
    """The recorders that this machine has; what is missing is added to `notes`."""
    return heaptrack_peer(notes) + gperftools_peers(notes) + jemalloc_peers(notes)


def clean_environment():
    return {key: value for key, value in os.environ.items() if key not in RECORDERS}


def take_profiles(directory):
    """Deletes what recorders wrote and returns its bytes."""
    total = 0
    for path in glob.glob(directory + "/*.prof") + glob.glob(directory + "/peer.*"):
        total += os.path.getsize(path)
        os.unlink(path)
    return total


def lap_command(contestant, command, directory, variables=None):
    """The command under `lap`, in the contestant's environment."""
    settings = dict(variables or {})
    settings.update(contestant.variables)
    return ([LAP, directory + "/lap"] +
            ["%s=%s" % (key, value.replace("{directory}", directory))
             for key, value in settings.items()] + ["--"] + command)


def lap_read(directory, output=""):
    """The Run that `lap` has written down."""
    with open(directory + "/lap") as file:
        cpu_ns, peak_kib, wall_ns = map(int, file.read().split())
    return Run(output, cpu_ns, peak_kib * 1024, wall_ns, take_profiles(directory))


def run(contestant, command, directory, variables=None):
    """One run of the command; raises if it fails."""
    done = subprocess.run(lap_command(contestant, command, directory, variables),
                          cwd=directory, env=clean_environment(), check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return lap_read(directory, done.stdout.decode(errors="replace"))


def rounds(contestants, count, once):
    """once(contestant) for each contestant in turn, `count` times: {name: [result of each round]}.

    The order rotates, so that nobody always comes after the same neighbour. Slow contestants leave after
    SLOW_ROUNDS.
    """
    results = {contestant.name: [] for contestant in contestants}
    for number in range(count):
        shift = number % len(contestants)
        for contestant in contestants[shift:] + contestants[:shift]:
            if not contestant.slow or number < SLOW_ROUNDS:
                results[contestant.name].append(once(contestant))
    return results


def scratch():
    return tempfile.TemporaryDirectory(prefix="heapdiff-bench-")


def have(program):
    return shutil.which(program) is not None
