"""Real programs under the preload: output, status and files of a plain run, and a whole profile.

    programs.py NAME     one of the keys of PROGRAMS; exits 77 when the program is not installed
"""

import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

import harness
from prof import Profile

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
KNOWN = {"script-go": ("cgo_site", 1000, 64000)}  # function, live objects and bytes
READ_MAX = 60  # profiles of one run that are read in full, largest first


def script(name):
    return os.path.join(SCRIPTS, name)


def needed(*names):
    for name in names:
        if not shutil.which(name) and not os.path.exists(name):
            harness.skip("no " + name)


class Side:
    """One of the two runs: a directory, and whether the preload is on."""

    def __init__(self, root, recorded):
        self.recorded = recorded
        # One path for both, so that outputs naming it are equal.
        self.directory = os.path.join(root, "work")
        self.profiles = os.path.join(root, "profiles")
        for path in (self.directory, self.profiles):
            os.makedirs(path, exist_ok=True)
        self.log = []

    def environment(self, more):
        options = "out=%s/%%n.%%p.%%c.prof" % self.profiles
        return harness.environment(options, self.recorded, HOME=self.directory, **(more or {}))

    def run(self, *arguments, more=None, stdin=None, plain=False):
        """Runs a program and notes all it said, but for our word on an allocator that comes before us;
        `plain` ones are never recorded.
        """
        recorded, self.recorded = self.recorded, self.recorded and not plain
        done = subprocess.run(arguments, cwd=self.directory, env=self.environment(more),
                              stdin=open(stdin) if stdin else subprocess.DEVNULL,
                              capture_output=True, timeout=200)
        self.recorded = recorded
        errors = b"".join(line for line in done.stderr.splitlines(True)
                          if not (line.startswith(b"heapdiff: lib") and b" comes before " in line))
        self.log.append((arguments, done.returncode, done.stdout, errors))
        return done

    def start(self, *arguments, more=None):
        return subprocess.Popen(arguments, cwd=self.directory, env=self.environment(more),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)

    def files(self, ignored):
        """{path: sha256} of every file made."""
        found = {}
        for folder, _, names in os.walk(self.directory):
            for name in names:
                path = os.path.join(folder, name)
                inside = os.path.relpath(path, self.directory)
                if inside not in ignored and os.path.isfile(path):
                    with open(path, "rb") as file:
                        found[inside] = hashlib.sha256(file.read()).hexdigest()
        return found


def is_saved(side):
    """Whether the child that saves has ended: a shutdown would kill it."""
    told = side.run("redis-cli", "-s", "socket", "info", "persistence", plain=True).stdout
    side.log.pop()
    return (b"rdb_bgsave_in_progress:0" in told
            and os.path.exists(os.path.join(side.directory, "dump.rdb")))


def run_redis(side):
    needed("redis-server", "redis-cli", "redis-benchmark")
    server = side.start("redis-server", "--port", "0", "--unixsocket", "socket", "--save", "",
                        "--io-threads", "2", "--logfile", "log")
    socket = os.path.join(side.directory, "socket")
    harness.wait_until(lambda: os.path.exists(socket) or server.poll() is not None, "redis")
    side.run("redis-cli", "-s", "socket", stdin=script("script.redis"), plain=True)
    load = side.run("redis-benchmark", "-s", "socket", "-q", "-n", "20000", "-r", "5000", "-P", "4",
                    "-t", "set,get,lpush,hset,zadd,mset", plain=True)
    side.log[-1] = ("redis-benchmark", load.returncode, load.stderr)
    side.run("redis-cli", "-s", "socket", "dbsize", plain=True)
    side.run("redis-cli", "-s", "socket", "memory", "doctor", plain=True)
    side.log.pop()
    side.run("redis-cli", "-s", "socket", "bgsave", plain=True)
    harness.wait_until(lambda: is_saved(side), "bgsave")
    side.run("redis-cli", "-s", "socket", "shutdown", "nosave", plain=True)
    side.log.append((server.communicate(timeout=60)[0], server.returncode))
    os.unlink(os.path.join(side.directory, "dump.rdb"))
    os.unlink(os.path.join(side.directory, "log"))


def run_python(side, **more):
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    side.run(python, script("script.py"), more=more)


def run_python_malloc(side):
    run_python(side, PYTHONMALLOC="malloc")


def run_gcc(side):
    needed("gcc")
    side.run("gcc", "-O2", "-c", script("script.c"), "-o", "script.o")
    side.run("gcc", "-O2", "-S", "-g", script("script.c"), "-o", "script.s")
    side.run("gcc", "-O1", "-flto", script("script.c"), "-o", "script")
    side.run("gcc", "-c", script("script.sql"), "-o", "none.o", "-x", "c")
    side.run("gcc", "-c", "-x", "c", script("script.sql"), "-o", "none.o")


def run_gxx(side):
    needed("g++")
    side.run("g++", "-std=c++17", "-O1", "-S", script("script.cc"), "-o", "script.s")
    side.run("g++", "-std=c++17", "-O0", "-g", script("script.cc"), "-o", "script")
    side.run("./script")


def run_sqlite(side):
    needed("sqlite3")
    side.run("sqlite3", "database", stdin=script("script.sql"))
    side.run("sqlite3", ":memory:", stdin=script("script.sql"))


def run_git(side):
    needed("git")
    date = "2020-02-02T02:02:02+0000"
    more = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b", "GIT_PAGER": "cat"}

    def git(*arguments):
        side.run("git", "-c", "pack.threads=1", *arguments, more=more)

    git("init", "-q", "-b", "main", ".")
    for round_ in range(3):
        for i in range(20):
            with open(os.path.join(side.directory, "file%d" % i), "w") as file:
                file.writelines("line %d of %d in %d\n" % (n, i, round_) for n in range(200))
        git("add", "-A")
        git("commit", "-q", "-m", "round %d" % round_)
    git("log", "--stat", "-p")
    git("blame", "file3")
    git("gc", "-q")
    git("repack", "-q", "-a", "-d", "-f")
    git("fsck", "--full")
    git("ls-files", "-s")
    git("archive", "--format=tar.gz", "-o", "archive.tar.gz", "main")


def run_perl(side):
    needed("perl")
    side.run("perl", script("script.pl"), more={"PERL_HASH_SEED": "0"})


def run_node(side):
    needed("node")
    side.run("node", script("script.js"))


def run_java(side):
    needed("java", "javac")
    side.run("javac", "-d", ".", script("Script.java"))
    side.run("java", "-Xmx128m", "-Xshare:auto", "-XX:-UsePerfData", "Script")


def run_go(side):
    needed("go", "gcc")
    binary = os.path.join(harness.HELPERS, "script-go")
    if not os.path.exists(binary):
        cache = os.path.join(harness.HELPERS, "go-cache")
        environment = harness.environment(preload=False, GOCACHE=cache, GO111MODULE="off",
                                          CGO_ENABLED="1", GOPATH=cache, GOFLAGS="")
        subprocess.run(["go", "build", "-o", binary, script("script.go")], check=True,
                       env=environment)
    side.run(binary)
    # Go ends by a system call of its own: the profile is in the black box.
    for box in harness.boxes_into(side.profiles):
        profile = os.path.join(side.profiles, os.path.basename(box).replace("heapdiff", "1.prof"))
        subprocess.run([harness.COMMAND, "recover", box, "-o", profile], check=True,
                       env=harness.environment(preload=False), stderr=subprocess.DEVNULL)


def run_dash(side):
    needed("dash")
    side.run("dash", script("script.sh"))


def run_bash(side):
    needed("bash")
    side.run("bash", script("script.sh"))


def shared_library(name):
    found = glob.glob("/usr/lib/*/%s" % name) + glob.glob("/usr/lib/%s" % name)
    if not found:
        harness.skip("no " + name)
    return found[0]


def run_allocator(side, name):
    """Another allocator preloaded, behind heapdiff and before it."""
    library = shared_library(name)
    for order in ((harness.PRELOAD, library), (library, harness.PRELOAD)):
        if not side.recorded:
            order = (library,)
        preload = {"LD_PRELOAD": ":".join(order)}
        run_python(side, PYTHONMALLOC="malloc", **preload)
        side.run("perl", script("script.pl"), more={"PERL_HASH_SEED": "0", **preload})


def run_jemalloc(side):
    run_allocator(side, "libjemalloc.so.2")


def run_tcmalloc(side):
    run_allocator(side, "libtcmalloc_minimal.so.4")


def run_mimalloc(side):
    run_allocator(side, "libmimalloc.so.2*")


# name: (run, main program, fewest sites of its largest profile)
PROGRAMS = {
    "redis": (run_redis, "redis-server", 150),
    "python": (run_python, "python3", 1000),
    "python-malloc": (run_python_malloc, "python3", 5000),
    "gcc": (run_gcc, "cc1", 300),
    "g++": (run_gxx, "cc1plus", 1000),
    "sqlite": (run_sqlite, "sqlite3", 100),
    "git": (run_git, "git", 100),
    "perl": (run_perl, "perl", 100),
    "node": (run_node, "node", 1000),
    "java": (run_java, "java", 300),
    "go": (run_go, "script-go", 5),
    "dash": (run_dash, "dash", 10),
    "bash": (run_bash, "bash", 50),
    "jemalloc": (run_jemalloc, "python3", 5000),
    "tcmalloc": (run_tcmalloc, "python3", 5000),
    "mimalloc": (run_mimalloc, "python3", 5000),
}


def compare(plain, recorded):
    """Names of what differs between the two runs' logs and files."""
    problems = []
    for one, two in zip(plain[0], recorded[0]):
        if one != two:
            problems.append("plain:    %s\nrecorded: %s" % (one, two))
    if len(plain[0]) != len(recorded[0]):
        problems.append("%d commands against %d" % (len(plain[0]), len(recorded[0])))
    names = {name for name in set(plain[1]) | set(recorded[1])
             if plain[1].get(name) != recorded[1].get(name)}
    if names:
        problems.append("files differ: %s" % sorted(names))
    return [problem[:3000] for problem in problems]


def check_profiles(directory, main_program, least_sites):
    """Reads what the recorded run wrote; (problems, facts to print)."""
    paths = sorted(glob.glob(directory + "/*.prof"), key=os.path.getsize, reverse=True)
    problems, ends, sites = [], 0, 0
    for path in paths[:READ_MAX]:
        profile = Profile(path).check()
        name = os.path.basename(path)
        if profile.lost():
            problems.append("%s lost %s" % (name, profile.lost()))
        ends += int(profile.facts.get("unwind_ends", "0"))
        if name.startswith(main_program + "."):
            sites = max(sites, len(profile.samples))
            problems += main_binary_first(profile, main_program) + known_site(profile, main_program)
    if sites < least_sites:
        problems.append("%s: %d sites, expected %d: %s" % (
            main_program, sites, least_sites, [os.path.basename(path) for path in paths[:8]]))
    problems += ["left over: " + box for box in left_over(paths)]
    return problems, "%d profiles, %d sites in %s's largest, %d ended stacks" % (
        len(paths), sites, main_program, ends)


def main_binary_first(profile, main_program):
    """A problem unless the program's own file is the first mapping (where there is any)."""
    program = os.path.basename(os.path.realpath(shutil.which(main_program) or main_program))
    names = [os.path.basename(profile.file(one)) for one in profile.mappings.values()]
    if names[:1] not in ([], ["[ledger]"]) and not names[0].startswith(program):
        return ["%s: the main binary is not the first mapping: %s" % (profile.path, names)]
    return []


def known_site(profile, main_program):
    """A problem unless the site that KNOWN lists for the program is exact."""
    if main_program not in KNOWN:
        return []
    function, *want = KNOWN[main_program]
    mine = [one for one in profile.samples if function in [name for _, name in profile.frames(one)]]
    got = [sum(one.values[key] for one in mine) for key in ("inuse_objects", "inuse_space")]
    return [] if got == want else ["%s: want %s, got %s" % (function, want, got)]


def left_over(paths):
    """Black boxes of processes that wrote their final profile. Those of programs that a signal ended,
    `yes | head` say, may stay; so may those of an earlier process of the same name and pid.
    """
    names = {os.path.basename(path).rsplit(".", 2)[0] for path in paths}
    boxes = harness.boxes_into(os.path.dirname(paths[0])) if paths else []
    return [box for box in boxes if os.path.basename(box).removesuffix(".heapdiff") in names]


def check_pprof(directory, main_program):
    """pprof itself must read the main program's largest profile."""
    paths = sorted(glob.glob("%s/%s.*.prof" % (directory, main_program)), key=os.path.getsize)
    if not shutil.which("go") or not paths:
        return []
    done = subprocess.run(["go", "tool", "pprof", "-top", "-symbolize=none", paths[-1]],
                          env=harness.environment(preload=False), capture_output=True, timeout=100)
    if done.returncode or b"inuse_space" not in done.stdout:
        return ["pprof: %s %s" % (done.stdout[:300], done.stderr[:300])]
    return []


def run_side(run, root, recorded):
    """((log, files), seconds); the directory is emptied for the other side."""
    side = Side(root, recorded)
    start = time.monotonic()
    run(side)
    seconds = time.monotonic() - start
    made = side.files({".git/index"})
    shutil.rmtree(side.directory)
    return (side.log, made), seconds


def main(name):
    run, main_program, least_sites = PROGRAMS[name]
    root = tempfile.mkdtemp(prefix="heapdiff-%s-" % name)
    try:
        plain, plain_seconds = run_side(run, root, False)
        recorded, seconds = run_side(run, root, True)
        problems = compare(plain, recorded)
        more, facts = check_profiles(root + "/profiles", main_program, least_sites)
        problems += more + check_pprof(root + "/profiles", main_program)
    finally:
        harness.remove_boxes(root)
        if os.environ.get("KEEP"):
            print("kept: " + root)
        else:
            shutil.rmtree(root)
    print("%s: %.1f s plain, %.1f s recorded; %s" % (name, plain_seconds, seconds, facts))
    for problem in problems:
        print("FAILED: " + problem)
    sys.exit(bool(problems))


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PROGRAMS:
        print("usage: programs.py " + "|".join(PROGRAMS), file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1])
