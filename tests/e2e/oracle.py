"""Stacks as libunwind sees them: unwind=check compares every capture of real programs."""

import os
import shutil

import harness
from prof import Profile

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


class Oracle(harness.Case):
    def check(self, least, *arguments, more=None):
        """Every capture of the program and of its children is the same; so many at least."""
        if not shutil.which(arguments[0]):
            self.skipTest("no " + arguments[0])
        done = self.run_program(arguments, "unwind=check", more=more)
        self.assertEqual(done[0], 0, done[2])
        checked = 0
        for path in self.profiles():
            facts = Profile(path).check().facts
            self.assertNotIn("unwind_differences", facts, path)
            checked += int(facts.get("unwind_checked", 0))
        self.assertGreater(checked, least)

    def test_truth(self):
        """Signal frames, recursion, exceptions, threads, deep stacks."""
        self.check(1000, harness.helper("truth"), self.path("expected"))

    def test_python(self):
        self.check(10000, "/usr/bin/python3", "-c", "import json, re, decimal; print(len(dir()))",
                   more={"PYTHONMALLOC": "malloc"})

    def test_compiler(self):
        """Deep stacks of a large C++ program; its children are recorded too."""
        source = self.path("source.cc")
        with open(source, "w") as file:
            file.write("#include <cstdio>\nint f(int i) { return std::printf(\"%d\", i); }\n")
        self.check(10000, "g++", "-O1", "-c", source, "-o", self.path("object.o"))

    def test_perl(self):
        self.check(1000, "perl", "-e", "print join ',', map { $_ * 2 } 1 .. 1000")

    def test_forks(self):
        """A child does not wait for what its parent's other threads were doing in libunwind."""
        self.check(1000, harness.helper("family"), "threads")

    def test_java(self):
        """Frames of generated code, which no rules describe."""
        self.check(1000, "java", "-Xmx128m", "-version")

    def test_same_sites(self):
        """unwind=libunwind alone finds the same stacks as the rules do."""
        found = []
        for options in ("unwind=rules", "unwind=libunwind"):
            self.run_program(["perl", "-e", "print 1"], options + ",out=" + options[7:] + ".prof",
                             more={"PERL_HASH_SEED": "0"})
            profile = Profile(self.path(options[7:] + ".prof")).check()
            found.append(sum(one.kind != "ledger" for one in profile.samples))
        self.assertEqual(found[0], found[1])


if __name__ == "__main__":
    harness.main()
