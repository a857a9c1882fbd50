"""`heapdiff attach` of real Go programs: what was live at the last collection and what came since, to the byte."""

import os
import re
import shutil
import subprocess
import unittest

import harness
from prof import Profile, single

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "programs/collected.go")
MIB = 1 << 20
OLD, FRESH = 64 * MIB, 32 * MIB
BUILDS = {
    "static": [],
    "symbols": ["-ldflags=-w"],  # no DWARF
    "stripped": ["-ldflags=-s"],
    "pie": ["-buildmode=pie"],
}


BARE = """package main

import (
	"runtime"
	"time"
)

var kept []byte

func main() {
	kept = make([]byte, 1<<20)
	for i := range kept {
		kept[i] = 1
	}
	runtime.GC()
	runtime.GC()
	println("ready")
	time.Sleep(time.Hour)
}
"""


def go(arguments, cgo=False, directory=None):
    if not shutil.which("go"):
        raise unittest.SkipTest("go is not here")
    cache = os.path.join(harness.HELPERS, "go-cache")
    environment = harness.environment(preload=False, GOCACHE=cache, GO111MODULE="off", CGO_ENABLED=str(int(cgo)),
                                      GOPATH=cache, GOFLAGS="")
    subprocess.run(["go", "build", *arguments], check=True, env=environment, cwd=directory)


def built(name):
    """The program built so, once; the tests skip where there is no Go."""
    flags = BUILDS[name]
    binary = os.path.join(harness.HELPERS, "collected-" + name)
    if not os.path.exists(binary) or os.path.getmtime(binary) < os.path.getmtime(SOURCE):
        go([*flags, "-o", binary, SOURCE])
    return binary


def rename_version(binary, path):
    """A copy that says it was built by a Go that nobody knows."""
    with open(binary, "rb") as file:
        data = file.read()
    version = re.search(rb"go1\.\d\d", data[data.index(b"\xff Go buildinf:"):])[0]
    with open(path, "wb") as file:
        file.write(data.replace(version, b"go1.99"))
    os.chmod(path, 0o755)


class Attach(harness.Case):
    def begin(self, mode, name="static", binary=None, title=()):
        """The program at rest: its process, what it says its own profile has, and its collections."""
        child = self.start([binary or built(name), mode, *title], preload=False)
        line = child.stdout.readline().split()
        self.assertEqual(line[:1], [b"ready"], line)
        return child, int(line[1]), int(line[2])

    def look(self, child, *arguments):
        path = self.path("look.prof")
        text = self.heapdiff("attach", "-o", path, *arguments, str(child.pid))
        return Profile(path).check(), text

    def refused(self, pid):
        said = self.heapdiff("attach", "-o", self.path("no.prof"), str(pid), status=1)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertFalse(os.path.exists(self.path("no.prof")))
        return said

    @staticmethod
    def sites(profile, name):
        """{function: value} of what is live anywhere."""
        found = {}
        for sample in profile.samples:
            if sample.kind == "":
                place = profile.functions[single(profile.locations[sample.locations[0]][4])[1]]
                found[place] = found.get(place, 0) + sample.values[name]
        return found

    def check_known_answer(self, profile):
        then, since = self.sites(profile, "collected_space"), self.sites(profile, "since_space")
        self.assertEqual((then["main.keepOld"], since["main.keepOld"]), (OLD, 0))
        self.assertEqual((then.get("main.keepFresh", 0), since["main.keepFresh"]), (0, FRESH))
        self.assertEqual(self.sites(profile, "alloc_objects")["main.inlined"], 100)
        self.assertEqual(self.sites(profile, "inuse_space")["main.inlined"], 0x10000)  # the last one

    def check_kept(self, live):
        """But for what the runtime allocates for itself on their stacks, where it collects meanwhile."""
        for name, kept in (("main.keepOld", OLD), ("main.keepFresh", FRESH)):
            self.assertIn(live[name] - kept, range(4096))

    def check_marked(self, profile, percent=1):
        marked = int(profile.facts["go_marked_bytes"])
        self.assertLess(abs(profile.total("", "collected_space") - marked), marked * percent / 100)

    def test_known_answer(self):
        child, profiled, collections = self.begin("exact")
        profile, text = self.look(child)
        self.check_known_answer(profile)
        self.check_marked(profile)
        self.assertEqual(profile.facts["collections"], str(collections))
        self.assertEqual(profile.facts["go_published_collection"], str(collections))
        self.assertEqual(profile.facts["go_published_bytes"], str(profiled))
        self.assertIn("exact, of every allocation", text)
        self.assertEqual(profile.facts["go_version"][:6], "go1.19")

    def test_the_kernel_s_figures(self):
        child, _, _ = self.begin("exact")
        profile, _ = self.look(child, "--exact")
        self.assertEqual(profile.facts["ledger_stopped"], "1")
        self.assertEqual(profile.facts["ledger_drift_bytes"], "0")
        with open("/proc/%d/smaps_rollup" % child.pid) as file:
            rss = int(re.search(r"^Rss: *(\d+)", file.read(), re.MULTILINE)[1]) * 1024
        self.assertEqual(profile.total("ledger", "resident_space"), rss)
        report = self.heapdiff(profile.path)
        self.assertIn("Go heap arenas", report)
        self.assertNotIn("not resident", report)  # which pages are a site's cannot be told
        with open("/proc/%d/stat" % child.pid) as file:
            self.assertNotIn(file.read().rpartition(") ")[2][0], "tT")

    def test_a_profile_is_one_collection_staler(self):
        child, profiled, collections = self.begin("natural")
        profile, _ = self.look(child)
        self.assertEqual(profile.facts["go_published_bytes"], str(profiled))
        self.assertEqual(profile.facts["go_published_collection"], str(collections - 1))
        self.check_marked(profile)
        self.assertGreater(profile.total("", "collected_space"), profiled)
        self.check_kept(self.sites(profile, "inuse_space"))

    def test_as_pprof_scales(self):
        child, _, _ = self.begin("sampled")
        profile, text = self.look(child)
        own = Profile(self.path("heap.pb.gz"))
        self.assertEqual(profile.period, own.period)
        total = sum(sample.values["inuse_space"] for sample in own.samples)
        self.assertEqual(int(profile.facts["go_published_bytes"]), total)
        self.assertIn("sampled, one in 524,288 bytes", text)
        self.assertIn("sampled every 512 KiB", self.heapdiff(profile.path))

    def test_names_and_lines_are_pprof_s(self):
        child, _, _ = self.begin("exact")
        self.look(child)
        ours = self.heapdiff("--alloc-space", "--top", "--lines", "--nodefraction", "0.05", self.path("look.prof"))
        own = self.heapdiff("--alloc-space", "--top", "--lines", "--nodefraction", "0.05", self.path("heap.pb.gz"))
        lines = [set(re.findall(r"main\.(?:keep|inlined)\S* \S+", text)) for text in (ours, own)]
        self.assertEqual(len(lines[1]), 2, own)
        self.assertEqual(lines[0] - lines[1], {line for line in lines[0] if "keepFresh" in line})
        self.assertEqual(lines[1] - lines[0], set())

    def test_a_busy_program(self):
        child, _, _ = self.begin("busy")
        for _ in range(5):
            profile, _ = self.look(child)
            live = self.sites(profile, "collected_space")
            self.check_kept(live)
            marked = int(profile.facts["go_marked_bytes"])
            then = profile.total("", "collected_space")
            # While it sweeps, what is dead is not all counted yet.
            self.assertGreater(then, marked * 0.99)
            if "go_sweeping" not in profile.facts:
                self.check_marked(profile)

    def test_what_grew(self):
        child, _, _ = self.begin("busy")
        self.look(child)
        os.rename(self.path("look.prof"), self.path("old.prof"))
        self.look(child)
        report = self.heapdiff("--base", self.path("old.prof"), "--collected", self.path("look.prof"))
        self.assertNotIn("two processes", report)
        self.assertNotIn("keepOld", report)

    def test_history(self):
        child, _, collections = self.begin("natural")
        profile, _ = self.look(child)
        text = self.heapdiff("collections", profile.path)
        rows = re.findall(r"^ +(\d+) +@\S+  go  ", text, re.MULTILINE)
        self.assertEqual(rows, [str(i + 1) for i in range(collections)])
        self.assertIn("live then", text)
        with open(self.path("heap.txt")) as file:
            pauses = re.search(r"^# PauseNs = \[([\d ]+)\]", file.read(), re.MULTILINE)[1].split()
        for i in range(collections):
            self.assertIn("pause_ns=%s" % pauses[i], profile.facts["collection.%d" % (i + 1)])

    def test_stale_first(self):
        child, _, _ = self.begin("exact")
        profile, _ = self.look(child)
        report = self.heapdiff("--collected", profile.path)
        self.assertRegex(report, r"32\.0 MiB +\S+ +main\.keepFresh")

    def test_without_dwarf(self):
        child, _, _ = self.begin("exact", "symbols")
        profile, _ = self.look(child)
        self.check_known_answer(profile)
        self.assertIn("collected.go:", self.heapdiff(profile.path))

    def test_position_independent(self):
        child, _, _ = self.begin("exact", "pie")
        profile, _ = self.look(child)
        self.check_known_answer(profile)

    def test_stripped(self):
        child, _, _ = self.begin("exact", "stripped")
        self.assertIn("stripped", self.refused(child.pid))

    def test_another_version(self):
        path = self.path("tomorrow")
        rename_version(built("static"), path)
        child, _, _ = self.begin("exact", binary=path)
        self.assertRegex(self.refused(child.pid), r"go1\.99\S*: how its runtime .* is not known")

    def test_a_program_without_profiles(self):
        """Nothing in it asks for any, so the linker has turned them off: the rest is there all the same."""
        with open(self.path("bare.go"), "w") as file:
            file.write(BARE)
        go(["-o", self.path("bare"), self.path("bare.go")])
        child = self.start([self.path("bare")], preload=False)
        harness.wait_until(lambda: child.stderr.readline().startswith(b"ready"), "the program")
        profile, text = self.look(child)
        self.assertIn("MemProfileRate is 0", text)
        self.assertEqual(profile.facts["collections"], "2")
        self.assertGreaterEqual(int(profile.facts["go_marked_bytes"]), MIB)
        self.assertEqual(profile.total("", "inuse_space"), 0)
        self.assertGreater(profile.total("ledger", "resident_space"), MIB)
        self.assertIn("MemProfileRate is 0", self.heapdiff(profile.path))

    def test_a_name_that_leads_elsewhere(self):
        os.mkdir(self.path("here"))
        child, _, _ = self.begin("exact", title=["../up/x"])
        for _ in range(2):
            self.run_program([harness.COMMAND, "attach", str(child.pid)], preload=False, cwd=self.path("here"))
        self.assertEqual(sorted(os.listdir(self.path("here"))),
                         [".._up_x.%d.%d.prof" % (child.pid, i) for i in (1, 2)])

    def test_no_go_program(self):
        child = self.start(["sleep", "1000"], preload=False)
        self.assertIn("not a Go program", self.refused(child.pid))
        child.kill()
        child.wait()
        self.assertIn("no such process", self.refused(child.pid))

    def test_examples(self):
        """What examples/README.md tells works: a table on the heap, in numbers, off the heap."""
        for cgo in (False, True):
            go(["-o", self.path("backlog"), "."], cgo, os.path.join(HERE, "../../examples/go"))
            for how in ("--pointers", "--ints", "--offheap"):
                done = self.run_program([self.path("backlog"), how, "--mib", "8", "--seconds", "0"], preload=False)
                self.assertEqual((done[0], done[2]), (0, ""))
                self.assertIn("holding 131072 records", done[1])
                self.assertIn("HeapAlloc", self.heapdiff(self.path("heap.txt")))

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_another_user_s(self):
        child, _, _ = self.begin("exact")
        os.chmod(self.directory, 0o777)
        done = subprocess.run([harness.COMMAND, "attach", "-o", self.path("no.prof"), str(child.pid)], user=65534,
                              group=65534, extra_groups=[], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Aheapdiff: \d+: it is another user's .* needs root.*\n\Z")
        self.assertFalse(os.path.exists(self.path("no.prof")))

    def test_text_form(self):
        child, profiled, collections = self.begin("natural")
        text, packed = self.path("heap.txt"), self.path("heap.pb.gz")
        report = self.heapdiff("--base", packed, self.look(child)[0].path)
        self.assertRegex(report, r"\+\d\S+ MiB +\S+ +64.0 MiB +\S+ +main\.keepOld")
        same = self.heapdiff("--base", packed, text)
        self.assertIn("nothing changed", same)
        report = self.heapdiff(text)
        self.assertIn("as of collection %d" % (collections - 1), report)
        self.assertIn("HeapSys", report)
        tool = subprocess.run(["go", "tool", "pprof", "-top", "-unit=b", "-sample_index=inuse_space", text],
                              capture_output=True, text=True, check=True).stdout
        total = re.search(r"of (\d+)B total", tool)[1]
        ours = re.search(r"^inuse_space: ([\d,]+)", self.heapdiff("--unit", "bytes", text), re.MULTILINE)[1]
        self.assertEqual(ours.replace(",", ""), total)
        history = self.heapdiff("collections", text)
        self.assertEqual(len(re.findall(r"^ +\d+ .* go  ", history, re.MULTILINE)), collections)
        gap = self.heapdiff("rss", "--profile", text, str(child.pid))
        self.assertRegex(gap, r"what it\s+names is as of collection %d" % (collections - 1))
        self.assertIn("HeapAlloc", gap)


if __name__ == "__main__":
    harness.main()
