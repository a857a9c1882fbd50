"""Go in a program that is linked with C: its collections are noticed, and stacks lead from malloc into goroutines."""

import os
import re
import shutil
import subprocess
import unittest

import harness
from prof import Profile

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs/calls_c.go")
MARKS = 5


def built():
    """The program, built once; the tests skip where there is no Go."""
    binary = os.path.join(harness.HELPERS, "calls_c")
    if not shutil.which("go") or not shutil.which("gcc"):
        raise unittest.SkipTest("go or gcc is not here")
    if not os.path.exists(binary) or os.path.getmtime(binary) < os.path.getmtime(SOURCE):
        cache = os.path.join(harness.HELPERS, "go-cache")
        environment = harness.environment(preload=False, GOCACHE=cache, GO111MODULE="off", CGO_ENABLED="1",
                                          GOPATH=cache, GOFLAGS="")
        subprocess.run(["go", "build", "-o", binary, SOURCE], check=True, env=environment)
    return binary


class Go(harness.Case):
    def record(self, options=""):
        """The profile of a whole run, out of the black box: Go ends by a system call of its own."""
        options = "out=%s/%%n.%%p.%%c.prof" % self.directory + (options and "," + options)
        status, output, errors, pid = self.run_program([built()], options)
        self.assertEqual((status, output, errors), (3, "collections %d\n" % MARKS, ""))
        self.heapdiff("recover", "-o", self.path("calls.prof"), self.boxes(pid)[0])
        return Profile(self.path("calls.prof")).check()

    def stacks(self):
        """{(objects, the program's own Go functions)} of what hold_in_c() has asked for."""
        found = set()
        text = self.heapdiff("--inuse-objects", "--traces", "--top", "0", self.path("calls.prof"))
        for stack in re.split(r"^-+\+-+$", text, flags=re.MULTILINE):
            head = re.search(r"^ *([\d,]+)  +hold_in_c ", stack, re.MULTILINE)
            if head:
                own = tuple(re.findall(r"^ +(main\.(?!_Cfunc)\S+)", stack, re.MULTILINE))
                found.add((int(head[1].replace(",", "")), own))
        return found

    def test_as_a_plain_run(self):
        self.assertEqual(self.run_program([built()], preload=False)[:3], (3, "collections %d\n" % MARKS, ""))

    def test_collections(self):
        profile = self.record()
        self.assertEqual(profile.facts["collections"], str(MARKS))
        self.assertRegex(profile.facts["runtime.1"], r"name=go version=1\.19\S* truth=totals state=watched")
        for number in range(1, MARKS + 1):
            self.assertRegex(profile.facts["collection.%d" % number], r"source=go kind=full .*pause_ns=\d+")
        self.assertRegex(profile.facts["collection.%d" % MARKS], r" before=\d+ after=\d+")

    def test_what_c_had_at_the_last_one(self):
        profile = self.record()
        held = [sample for sample in profile.samples
                if "hold_in_c" in [name for _, name in profile.frames(sample)] and sample.kind == "malloc"]
        totals = {name: sum(sample.values[name] for sample in held)
                  for name in ("inuse_space", "collected_space", "since_space")}
        self.assertEqual(totals, {"inuse_space": 2500000, "collected_space": 2500000, "since_space": 0})

    def test_stacks_of_goroutines(self):
        self.record()
        self.assertEqual(self.stacks(),
                         {(1000, ("main.deep",) * 4 + ("main.main",)), (500, ("main.inGoroutine", "main.main.func1"))})

    def test_as_libunwind_has_them(self):
        profile = self.record("unwind=check")
        self.assertNotIn("unwind_differences", profile.facts)
        self.assertGreater(int(profile.facts["unwind_checked"]), 1000)
        self.assertEqual(len(self.stacks()), 2)

    def test_turned_off(self):
        for options in ("runtimes=none", "runtimes=boehm"):
            profile = self.record(options)
            self.assertEqual(profile.facts["collections"], "0")
            for path in self.profiles():
                os.unlink(path)


if __name__ == "__main__":
    harness.main()
