"""Where nothing is recorded, a pair of calls costs next to nothing: instructions, counted by callgrind."""

import re
import shutil
import unittest

import harness

LESS, MORE = 500, 1500
UNRECORDED = ("nonsense=1", "only=nobody")
BARS = {"malloc": 14, "calloc": 17, "realloc": 40, "aligned": 120}  # added instructions


@unittest.skipUnless(shutil.which("valgrind"), "no valgrind")
class Passed(harness.Case):
    def count(self, where, form, pairs, options, preload):
        """Instructions of all processes of a run."""
        done = self.run_program(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                                 harness.helper("passed"), where, form, str(pairs)], options, preload)
        self.assertEqual(done[0], 0, done[2])
        return sum(map(int, re.findall(r"Collected : (\d+)", done[2])))

    def pair(self, where, form, options="", preload=True):
        counts = [self.count(where, form, pairs, options, preload) for pairs in (LESS, LESS + MORE)]
        return (counts[1] - counts[0]) / MORE / (2 if where == "child" else 1)

    def check(self, where, form, options):
        added = self.pair(where, form, options) - self.pair(where, form, preload=False)
        print("\n%-8s %-8s %-24s %.1f" % (where, form, options, added), end=" ")
        self.assertLessEqual(added, BARS[form])

    def test_mistake(self):
        for form in BARS:
            self.check("main", form, UNRECORDED[0])

    def test_another_program(self):
        """What only= names is known in the constructor: events have been."""
        for where in ("main", "thread"):
            self.check(where, "malloc", UNRECORDED[1])
        self.check("main", "realloc", UNRECORDED[1])

    def test_child(self):
        """In the thread that has forked, and a later one of the child's."""
        out = ",only=passed,out=" + self.path("%p.prof")  # valgrind itself hides nothing
        for options in ("children=off" + out, "children=off,sample=1k" + out):
            for form in ("malloc", "calloc", "realloc"):
                self.check("child", form, options)


harness.main()
