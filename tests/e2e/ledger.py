"""The ledger: programs whose resident memory is known beforehand, and real ones, where it must add up."""

import collections
import glob
import os
import shutil
import subprocess
import unittest

import harness
from prof import Profile

MIB = 1 << 20
LEAVES = {"[slack]": "slack", "[pinned]": "pinned", "[huge page]": "huge"}
IDLE = "[allocator: idle]"
UNATTRIBUTED_MAX = 64 << 10

# RSS-MODEL.md: MiB pinned (slack included) and idle of the fragmentation program, by allocator.
FRAGMENTS = {
    "glibc": (156.9, 112.3),
    "jemalloc": (90.2, 364.1),
    "tcmalloc": (88.5, 362.1),
    "mimalloc": (90.4, 362.3),
}
TOLERANCE = 0.02
# The allocators of ours that the process itself counts: what libraries ask for at start-up comes on top.
LIBRARIES = {"jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc.so.4", "mimalloc": "libmimalloc.so.2"}


class Ledger:
    """A profile's resident_space, by category, site and line."""

    def __init__(self, profile):
        self.facts = profile.facts
        self.sites = collections.defaultdict(collections.Counter)  # function: category: bytes
        self.lines = collections.Counter()  # (root frame, leaf frame or ""): bytes
        self.sums = collections.Counter()  # category or root frame: bytes
        self.total = 0
        for sample in profile.samples:
            self.add(sample, [name for _, name in profile.frames(sample)])

    def add(self, sample, names):
        count = sample.values["resident_space"]
        self.total += count
        category = {"malloc": "live", "mmap": "mapped"}.get(sample.kind)
        if sample.kind == "ledger":
            category = LEAVES.get(names[0]) or ("idle" if names[-1] == IDLE else None)
            assert not any(value for key, value in sample.values.items() if key != "resident_space")
        if category:
            for name in {name for name in names if name}:
                self.sites[name][category] += count
        else:
            category = names[-1]
            self.lines[names[-1], names[0] if len(names) > 1 else ""] += count
        self.sums[category] += count

    def rss(self):
        return int(self.facts["ledger_rss_bytes"])

    def drift(self):
        return int(self.facts["ledger_drift_bytes"])


class Case(harness.Case):
    PROGRAM = harness.helper("ledger")

    def ledger(self, profile=None):
        profile = profile or self.profile("ledger.prof")
        self.assertEqual(profile.facts["ledger_source"], "pagemap_scan")
        ledger = Ledger(profile)
        self.assertEqual(ledger.total, ledger.rss() - ledger.drift())
        return ledger

    def known(self, mode, options=None, drift=0, **how):
        """Runs ledger.c: (what it says, its ledger)."""
        arguments = [self.PROGRAM, mode]
        status, output, errors, _ = self.run_program(
            arguments, ",".join(filter(None, ["final=off", options])), **how)
        self.assertEqual(status, 0, errors)
        said = {name: int(number) for name, number in map(str.split, output.splitlines())}
        ledger = self.ledger()
        if drift is not None:
            self.assertEqual(ledger.drift(), drift)
        self.assertLessEqual(ledger.sums["[unattributed]"], UNATTRIBUTED_MAX)
        return said, ledger


class Known(Case):
    def assertNear(self, value, wanted, part=TOLERANCE):
        self.assertLessEqual(abs(value - wanted), part * wanted, "%d, not %d" % (value, wanted))

    def fragments(self, allocator, more=None):
        said, ledger = self.known("fragment", more=more)
        self.assertEqual(ledger.facts["allocator"], allocator)
        pinned, idle = FRAGMENTS[allocator]
        for name, count in said.items():
            self.assertEqual(ledger.sites[name]["live"], count, name)
        self.assertNear(ledger.sums["pinned"] + ledger.sums["slack"], pinned * MIB)
        self.assertNear(ledger.sums["idle"], idle * MIB)
        print("%s: live %.1f pinned %.1f slack %.1f idle %.1f" % (allocator, *(
            ledger.sums[key] / MIB for key in ("live", "pinned", "slack", "idle"))))
        if allocator == "glibc":
            self.assertNotIn("purge_bytes", ledger.facts)
        else:
            self.assertEqual(int(ledger.facts["purge_bytes"]), ledger.sums["idle"])

    def test_fragments_on_glibc(self):
        self.fragments("glibc")

    def fragments_on(self, allocator):
        library = LIBRARIES[allocator]
        found = glob.glob("/usr/lib/*/" + library) + glob.glob("/usr/lib*/" + library)
        if not found:
            self.skipTest(library)
        self.fragments(allocator, {"LD_PRELOAD": harness.PRELOAD + ":" + found[0]})

    def test_fragments_on_jemalloc(self):
        self.fragments_on("jemalloc")

    def test_fragments_on_tcmalloc(self):
        self.fragments_on("tcmalloc")

    def test_fragments_on_mimalloc(self):
        self.fragments_on("mimalloc")

    def test_survivors(self):
        said, ledger = self.known("survivors")
        site = ledger.sites["keep_small"]
        self.assertEqual(site["live"], said["keep_small"])
        self.assertNear(site["pinned"] + site["live"] + site["slack"] + ledger.sums["idle"],
                        20000 * (4016 + 64 + 32))
        self.assertGreater(site["pinned"], 0.9 * 20000 * 4016)

    def test_trim_does_what_was_foretold(self):
        said, ledger = self.known("trim")
        self.assertNear(int(ledger.facts["trim_bytes"]), said["returned"], 0.03)

    def test_ranges(self):
        said, ledger = self.known("ranges")
        for name, count in said.items():
            self.assertEqual(ledger.sites[name]["mapped"], count, name)
        self.assertEqual(ledger.sites["map_room"]["mapped"], 0)

    def test_breaks_inside_pages(self):
        said, ledger = self.known("breaks")
        mapped, wanted = ledger.sites["move_break"]["mapped"], said["move_break"]
        self.assertLessEqual(abs(mapped - wanted), 50 * 4096)

    def test_threads(self):
        _, ledger = self.known("threads", drift=None)
        stacks = {leaf: count for (root, leaf), count in ledger.lines.items() if root == "[stacks]"}
        for name in ("allocates", "is quiet"):
            self.assertGreaterEqual(stacks["[stack: thread %s]" % name], 4 * (300 << 10), stacks)
            self.assertLessEqual(stacks["[stack: thread %s]" % name], 4 * (600 << 10), stacks)

    def test_a_huge_page_is_charged_to_what_holds_it(self):
        with open("/sys/kernel/mm/transparent_hugepage/enabled") as file:
            if "[never]" in file.read():
                self.skipTest("no huge pages")
        said, ledger = self.known("huge")
        self.assertEqual(said["misplaced"], 0)
        if int(ledger.facts.get("huge_page_bytes", 0)) == 0:
            self.skipTest("the kernel had no huge page to give")
        site = ledger.sites["touch_little"]
        self.assertEqual(site["live"], 128)
        self.assertEqual(site["live"] + site["slack"] + site["pinned"] + site["huge"], 2 * MIB)
        self.assertGreaterEqual(site["huge"], 2 * MIB - 2 * 4096)
        self.assertIn("huge pages held by little that lives on them: touch_little 2.0 MiB",
                      self.heapdiff(self.path("ledger.prof")))

    def test_off(self):
        self.run_program([harness.helper("ledger"), "survivors"], "final=off,ledger=off")
        profile = self.profile("ledger.prof")
        self.assertEqual(profile.facts["ledger_source"], "none")
        self.assertEqual(profile.total("malloc", "resident_space"), 0)
        self.assertFalse([one for one in profile.samples if one.kind == "ledger"])

    def test_sampled_the_sum_is_exact(self):
        said, ledger = self.known("fragment", "sample=64k,seed=1")
        live = sum(said.values())
        self.assertNear(ledger.sums["live"], live, 0.1)
        self.assertGreater(ledger.lines["[allocator: metadata]", "[allocator: not told apart]"], 0)
        self.assertEqual(ledger.sums["pinned"] + ledger.sums["idle"] + ledger.sums["slack"], 0)

    def test_go_reads_it(self):
        go = shutil.which("go")
        if not go:
            self.skipTest("no go")
        _, ledger = self.known("ranges")
        done = subprocess.run([go, "tool", "pprof", "-sample_index=resident_space", "-unit=b", "-top",
                               "-nodefraction=0", self.path("ledger.prof")], capture_output=True,
                              text=True, env=dict(os.environ, HOME=self.directory))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("%dB total" % ledger.total, done.stdout)
        self.assertIn("map_right", done.stdout)


class Real(Case):
    """Programs as they are: the sum is the kernel's, and hardly anything is nobody's."""

    def real(self, *arguments, drift=0, children=False):
        if not shutil.which(arguments[0]):
            self.skipTest(arguments[0])
        status, _, errors, _ = self.run_program(list(arguments))
        self.assertEqual(status, 0, errors)
        found = self.profiles()
        self.assertTrue(found)
        for path in found:
            ledger = self.ledger(Profile(path).check())
            print("%-12s rss %d sum %d drift %d unattributed %d" % (
                ledger.facts["program"], ledger.rss(), ledger.total, ledger.drift(),
                ledger.sums["[unattributed]"]))
            if drift is not None:
                self.assertEqual(ledger.drift(), drift)
            self.assertLessEqual(ledger.sums["[unattributed]"], UNATTRIBUTED_MAX)

    def test_python(self):
        self.real("/usr/bin/python3", "-c", "x = [str(i) for i in range(300000)]")

    def test_perl(self):
        self.real("perl", "-e", "my %h; $h{$_} = $_ for 1 .. 200000;")

    def test_sqlite(self):
        self.real("sqlite3", ":memory:", "create table t(a); with recursive c(x) as (select 1 union all "
                  "select x + 1 from c where x < 100000) insert into t select x from c;")

    def test_gcc(self):
        with open(self.path("one.c"), "w") as file:
            file.write("#include <stdlib.h>\nint main(void) { return atoi(\"0\"); }\n")
        self.real("gcc", "-O2", "-c", "one.c")

    def test_git(self):
        self.real("git", "--version")

    def test_node(self):
        self.real("node", "-e", "let a = []; for (let i = 0; i < 200000; i++) a.push({i});", drift=None)

    def test_java(self):
        self.real("java", "-version", drift=None)


if __name__ == "__main__":
    harness.main()
