"""Long runs with a snapshot every second: our own memory stays, nothing is lost, sums are exact.

HEAPDIFF_SOAK_SECONDS is how long each part takes (default 8); HEAPDIFF_SOAK_TABLE a file to which each
second's figures are added. A soak of half an hour:
    HEAPDIFF_SOAK_SECONDS=1800 HEAPDIFF_SOAK_TABLE=soak.tsv HEAPDIFF_BUILD=build python3 tests/e2e/soak.py
"""

import os
import shutil
import signal
import subprocess
import time

import harness
from prof import Profile

SECONDS = float(os.environ.get("HEAPDIFF_SOAK_SECONDS", "8"))
TABLE = os.environ.get("HEAPDIFF_SOAK_TABLE")
INTERVAL = min(1, SECONDS / 8)  # between two snapshots, in seconds
KEEP = 20
BURST = 1000  # threads of soak.c that live at the same time
CALM = 50  # fewer than so many: no burst
FLAT = 1.02 if SECONDS >= 300 else 1.2  # what the last third of a soak may add to our own bytes
COLUMNS = ["seconds", "part", "snapshot", "own", "rss", "threads", "files", "shm", "unclean", "lost"]


class Soak(harness.Case):
    """Signals a program once a second and looks at each profile that comes of it."""

    def setUp(self):
        super().setUp()
        self.rows = []

    def number(self, path):
        return int(path.split(".")[-2])

    def ask(self, child):
        """The profile that one signal has led to; None when the program has ended before."""
        pattern = "*.%d.*.prof" % child.pid

        def newest():
            return max((self.number(path) for path in self.profiles(pattern)), default=0)
        before = newest()
        child.send_signal(signal.SIGUSR1)
        harness.wait_until(lambda: newest() > before or child.poll() is not None,
                           "an answer to a signal", 60)
        found = self.profiles(pattern)
        return found[-1] if child.poll() is None else None

    def look(self, child, part, start):
        """One snapshot's figures, as a row; None at the end of the program."""
        path = self.ask(child)
        if path is None:
            return None
        profile = Profile(path).check()
        self.check(profile)
        self.assertLessEqual(len(self.profiles("*.%d.*.prof" % child.pid)), KEEP)
        facts = profile.facts
        try:
            files = len(os.listdir("/proc/%d/fd" % child.pid))
        except FileNotFoundError:
            return None
        row = dict(zip(COLUMNS, [round(time.monotonic() - start), part, self.number(path),
                                 int(facts["own_bytes"]), int(facts["rss_bytes"]),
                                 int(facts["threads"]), files, len(self.boxes(child.pid)),
                                 int(facts.get("unclean_cuts", 0)), profile.lost() or "-"]))
        self.rows.append(row)
        if TABLE:
            with open(TABLE, "a") as table:
                print(*row.values(), sep="\t", file=table)
        return row

    def check(self, profile):
        """What must hold of every snapshot; parts add to it."""
        self.assertEqual(profile.lost(), {}, profile.path)

    def check_rows(self):
        """Of the whole run: enough snapshots, one box, no growth but in its first third. In a burst, threads have
        memory of ours that goes back at their end."""
        rows = [row for row in self.rows if row["threads"] < CALM]
        self.assertGreaterEqual(len(rows), 5)
        self.assertEqual({row["shm"] for row in self.rows}, {1})
        third = len(rows) // 3
        settled = max(row["own"] for row in rows[:third + 1])
        self.assertLessEqual(max(row["own"] for row in rows[-third:]), settled * FLAT + (256 << 10),
                             [row["own"] for row in rows])
        self.assertEqual(sum(row["unclean"] for row in rows[-1:]), 0, "unclean cuts")


class Threads(Soak):
    def check(self, profile):
        super().check(profile)
        sums = self.sums(profile)
        live = {name: values[2] for name, values in sums.items()}
        self.assertLessEqual(sum(live.values()), 2048 + 3 * BURST, live)
        first, second = sums.get("soak_first", [0]), sums.get("soak_second", [0])
        self.assertLessEqual(0, first[0] - second[0], "of one moment")
        self.assertLessEqual(first[0] - second[0], BURST, "of one moment")

    def sums(self, profile):
        """{function: [objects, bytes, live objects, live bytes]} of the soak_* functions."""
        sums = {}
        for sample in profile.samples:
            name = profile.frames(sample)[0][1] or ""
            if name.startswith("soak_"):
                one = sums.setdefault(name, [0, 0, 0, 0])
                for i, key in enumerate(["alloc_objects", "alloc_space", "inuse_objects",
                                         "inuse_space"]):
                    one[i] += sample.values[key]
        return sums

    def test_threads(self):
        """Threads in their thousands, blocks freed by others, mappings moved: all sums are exact."""
        child = self.start([harness.helper("soak"), str(SECONDS)], "keep=%d" % KEEP,
                           stdin=subprocess.PIPE)
        child.stdout.readline()
        start = time.monotonic()
        while time.monotonic() < start + SECONDS or len(self.rows) < 5:
            turn = time.monotonic()
            self.assertIsNotNone(self.look(child, "threads", start), "the program has ended")
            time.sleep(max(0, turn + INTERVAL - time.monotonic()))
        output, errors = child.communicate(timeout=60)  # it waits for the end of its input
        self.assertEqual((child.returncode, errors), (0, b""))
        truth = {line.split()[0]: [int(word) for word in line.split()[1:]]
                 for line in output.decode().splitlines()}
        last = Profile(self.profiles("*.%d.*.prof" % child.pid)[-1]).check()
        self.assertEqual(last.lost(), {})
        self.assertEqual(self.sums(last), truth)
        self.check_rows()
        self.assertEqual(max(row["files"] for row in self.rows),
                         min(row["files"] for row in self.rows), "descriptors")
        self.assertEqual(self.boxes(child.pid), [])


class Redis(Soak):
    LOAD = ["-q", "-n", "300", "-c", "8", "-r", "5000", "-t",
            "set,get,incr,lpush,lpop,rpush,rpop,sadd,hset,spop,zadd,zpopmin,mset"]

    def load(self):
        subprocess.run(["redis-benchmark", "-s", self.path("socket"), *self.LOAD], check=True,
                       stdout=subprocess.DEVNULL, env=harness.environment(preload=False))

    def client(self, *arguments):
        done = self.run_program(["redis-cli", "-s", self.path("socket"), *arguments],
                                preload=False)
        return done[1]

    def used_bytes(self):
        lines = self.client("info", "memory").split()
        return int([line for line in lines if line.startswith("used_memory:")][0].split(":")[1])

    def test_redis(self):
        """A server under load that forks to save: it must not notice, nor may we grow."""
        for program in ("redis-server", "redis-cli", "redis-benchmark"):
            if not shutil.which(program):
                self.skipTest("no " + program)
        child = self.start(["redis-server", "--port", "0", "--unixsocket", self.path("socket"),
                            "--save", "", "--logfile", "log", "--maxmemory", "64mb",
                            "--maxmemory-policy", "allkeys-lru"], "keep=%d" % KEEP)
        harness.wait_until(lambda: os.path.exists(self.path("socket")), "redis")
        start = saved = time.monotonic()
        while time.monotonic() < start + SECONDS:
            turn = time.monotonic()
            self.load()
            self.assertIsNotNone(self.look(child, "redis", start), "the server has ended")
            if turn - saved > 30 * INTERVAL:
                self.client("bgsave")
                saved = turn
            time.sleep(max(0, turn + INTERVAL - time.monotonic()))
        self.finish(child)

    def finish(self, child):
        """What redis says it has is what we say; then it ends as it always does."""
        used = self.used_bytes()
        live = Profile(self.ask(child)).total("malloc", "inuse_space")
        self.assertLess(abs(used - live), used / 4, "%d by redis, %d by us" % (used, live))
        self.client("shutdown", "nosave")
        self.assertEqual((child.communicate(timeout=60)[1], child.returncode), (b"", 0))
        self.assertEqual(Profile(self.profiles("redis-server.%d.*" % child.pid)[-1]).lost(), {})
        self.check_rows()
        self.assertEqual(self.boxes(child.pid), [])


if __name__ == "__main__":
    harness.main()
