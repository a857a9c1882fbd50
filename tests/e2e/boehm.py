"""The Boehm collector: objects by site, live at its last collection by its own marks; Guile on top of it."""

import os
import re
import shutil

import harness
from prof import Profile

EACH, LEAKED, SINCE, GARBAGE = 104, 10000, 300, 100000


class Boehm(harness.Case):
    def run_case(self, *arguments, options="final=on"):
        """Recorded, with the output and status of a plain run; its last profile."""
        command = [harness.helper(arguments[0]), *arguments[1:]]
        plain = self.run_program(command, preload=False)
        done = self.run_program(command, options)
        self.assertEqual(done[:2], plain[:2], done)
        self.errors = done[2]
        return Profile(self.profiles("%s.%d.*.prof" % (arguments[0], done[3]))[-1]).check()

    def site(self, profile, function):
        values = {}
        for sample in profile.samples:
            if sample.kind == "malloc" and function in [name for _, name in profile.frames(sample)]:
                values = {key: values.get(key, 0) + value for key, value in sample.values.items()}
        return values

    def check_known(self, profile):
        leak, garbage = self.site(profile, "leak_site"), self.site(profile, "garbage_site")
        self.assertEqual((leak["collected_objects"], leak["collected_space"]), (LEAKED, LEAKED * EACH))
        self.assertEqual((leak["since_objects"], leak["inuse_objects"]), (SINCE, LEAKED + SINCE))
        self.assertEqual(leak["survived_objects"], LEAKED)
        self.assertEqual(garbage["alloc_objects"], GARBAGE)
        self.assertLessEqual(garbage["inuse_objects"], 3)  # some stale register is believed to point there
        self.assertEqual(profile.lost(), {})
        self.assertEqual(profile.facts["runtime.1"], "name=boehm version=%s truth=exact state=watched" %
                         re.search(r"version=(\S+)", profile.facts["runtime.1"]).group(1))

    def test_known_program(self):
        """As many collections as without us, whose every object is accounted for."""
        profile = self.run_case("boehm", "known")
        self.check_known(profile)
        self.assertGreater(int(profile.facts["collections"]), 3)
        last = profile.facts["collection." + profile.facts["collections"]]
        self.assertIn("source=boehm kind=full truth=exact", last)
        figures = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", last)}
        self.assertTrue(LEAKED * EACH <= figures["after"] <= LEAKED * EACH + 4 * 200)
        self.assertGreaterEqual(figures["before"], figures["after"])
        self.assertGreater(figures["goal"], figures["after"])
        self.assertGreater(figures["pause_ns"], 0)
        self.assertGreater(figures["rss_before"], 0)

    def test_namespace(self):
        """A plugin with a collector of its own is not bound to the program's."""
        self.run_case("boehm_apart", harness.helper("libboehm_plugin.so"))

    def test_report(self):
        path = self.run_case("boehm", "known") and self.profiles("boehm.*.prof")[-1]
        report = self.heapdiff(path)
        self.assertRegex(report, r"runtime boehm \d+\.\d+\.\d+: watched, exact\n")
        self.assertIn("survived the collection", report)
        self.assertRegex(report, r"\n  live  +\d.* leak_site ")  # its pages are the sites' that have objects there
        self.assertNotRegex(report, r"\n  mmap .*libgc")
        self.assertRegex(self.heapdiff("collections", path), r"s  boehm ")

    def test_hooks_of_the_program(self):
        """Set before or after ours: the program's own is called, and is the one that it is told of."""
        self.run_case("boehm", "chain")
        self.check_known(self.run_case("boehm", "before"))

    def test_threads(self):
        profile = self.run_case("boehm", "threads")
        kept = self.site(profile, "allocate")
        self.assertGreaterEqual(kept["alloc_objects"], 4 * 21000)
        self.assertEqual(profile.lost(), {})

    def check_stopped(self, name):
        """What is mapped, and asked for, while all others are stopped: nobody waits for them, whether libgc has told us
        that it stops them or not."""
        for options, rounds in (("final=on", "30"), ("final=on,runtimes=none", "5")):
            for asks in ((), ("asks",)):
                done = self.run_program([harness.helper(name), "stopped", rounds, *asks], options)
                self.assertEqual(done[:2], (0, "over\n"), (name, options, asks))
                paths = self.profiles("%s.%d.*.prof" % (name, done[3]))
                self.assertTrue(len(paths) > 1 if asks else len(paths) == 1, paths)
                for path in paths[-2:]:
                    Profile(path).check()

    def test_stopped(self):
        self.check_stopped("boehm")

    def test_stopped_linked_in(self):
        """The hook that the program sets is in place of ours."""
        if not os.path.exists(harness.helper("boehm_static")):
            self.skipTest("no libgc.a")
        self.check_stopped("boehm_static")

    def check_family(self, name):
        profile = self.run_case(name, "family")
        family = self.site(profile, "family_site")
        self.assertEqual(family["collected_space"], 1000 + 2000 + 300 + 16 + 5000 + 200000 + 300000 + 640)
        self.assertEqual(family["inuse_objects"], 8)
        self.assertEqual(family["alloc_objects"], 10)

    def test_family(self):
        self.check_family("boehm")

    def test_debug_family(self):
        self.check_family("boehm_debug")

    def test_turned_off(self):
        for options in ("runtimes=none", "runtimes=lua"):
            profile = self.run_case("boehm", "known", options="trace=on," + options)
            self.assertEqual(profile.facts["collections"], "0")
            self.assertIn("state=turned off", profile.facts["runtime.1"])
            self.assertEqual(self.site(profile, "leak_site"), {})
            self.assertNotIn("collection 1", self.errors)
        self.assertIn("turned off: its collections are not noticed",
                      self.heapdiff(self.profiles("boehm.*.prof")[-1]))

    def test_unknown_name(self):
        self.run_case("boehm", "known", options="runtimes=boehm+jelly")
        self.assertIn("runtimes: there is no jelly", self.errors)

    def test_trace(self):
        profile = self.run_case("boehm", "known", options="trace=on")
        self.assertEqual(len(re.findall(r"^heapdiff: collection \d+ @\d+\.\d{3}s boehm: ", self.errors, re.MULTILINE)),
                         int(profile.facts["collections"]))

    def test_sampled(self):
        profile = self.run_case("boehm", "known", options="sample=4k,seed=7")
        leak = self.site(profile, "leak_site")
        self.assertTrue(0.7 * LEAKED < leak["collected_objects"] < 1.3 * LEAKED, leak)

    def test_linked_in(self):
        """Not stripped: collections are noticed; the heap stays one of mappings."""
        if not os.path.exists(harness.helper("boehm_static")):
            self.skipTest("no libgc.a")
        profile = self.run_case("boehm_static", "known")
        self.assertGreater(int(profile.facts["collections"]), 3)
        self.assertIn("truth=totals state=watched", profile.facts["runtime.1"])
        last = profile.facts["collection." + profile.facts["collections"]]
        after = int(re.search(r"after=(\d+)", last).group(1))
        self.assertTrue(LEAKED * 112 <= after <= LEAKED * 112 + 60000, last)  # as libgc rounds sizes, and its own
        self.assertEqual(self.site(profile, "leak_site"), {})

    def test_linked_in_with_a_hook(self):
        """It may set its own at any time: it is told of each event, finds its own there, and each collection is noticed."""
        if not os.path.exists(harness.helper("boehm_static")):
            self.skipTest("no libgc.a")
        chain = self.run_case("boehm_static", "chain")
        self.assertEqual(chain.facts["collections"], "4")  # three that it asks for, and one of GC_INIT()
        self.assertGreater(int(self.run_case("boehm_static", "before").facts["collections"]), 3)

    def test_guile(self):
        guile = shutil.which("guile") or shutil.which("guile-3.0")
        if not guile:
            self.skipTest("no guile")
        script = ("(define kept (map (lambda (i) (make-string 1000 #\\a)) (iota 2000)))"
                  "(let loop ((i 0)) (if (< i 200000) (begin (make-vector 10 i) (loop (+ i 1)))))"
                  "(gc) (display (length kept)) (newline) (exit 3)")
        command = [guile, "--no-auto-compile", "-c", script]
        plain = self.run_program(command, preload=False)
        done = self.run_program(command, "final=on")
        self.assertEqual(done[:2], plain[:2])
        self.assertEqual(plain[:2], (3, "2000\n"))
        profile = Profile(self.profiles("guile*.%d.*.prof" % done[3])[-1]).check()
        self.assertIn("state=watched", profile.facts["runtime.1"])
        self.assertGreater(int(profile.facts["collections"]), 0)
        strings = [sample.values for sample in profile.samples if sample.kind == "malloc"]
        self.assertGreater(sum(values["collected_space"] for values in strings), 2000 * 1000)


if __name__ == "__main__":
    if not os.path.exists(harness.helper("boehm")):
        harness.skip("no libgc to build with")
    harness.main()
