"""Two profiles and what may lie between them: another run, a rebuilt or stripped binary."""

import json
import os
import shutil
import subprocess

import harness

SOURCE = """
#include <stdlib.h>
static void *volatile sink;
%s
__attribute__((noinline)) static void steady_site(void)
{
    for (volatile int i = 0; i < 10; i++)
        sink = malloc(100);
}
__attribute__((noinline)) static void grown_site(int count)
{
    for (volatile int i = 0; i < count; i++)
        sink = malloc(50);
}
int main(void)
{
    %s
    steady_site();
    grown_site(%d);
    return 0;
}
"""
ADDED = "__attribute__((noinline)) static void added_site(void) { sink = malloc(77); }"


class Pairs(harness.Case):
    def build(self, name, added, count, *flags):
        source = self.path(name + ".c")
        with open(source, "w") as file:
            file.write(SOURCE % (ADDED if added else "", "added_site();" if added else "", count))
        os.makedirs(self.path(name))
        program = self.path(name, "program")
        subprocess.run(["gcc", "-g", "-O1", "-fno-optimize-sibling-calls", "-Wl,--build-id", *flags,
                        source, "-o", program], check=True)
        return program

    def record(self, program, name):
        done = self.run_program([program], "out=" + name)
        self.assertEqual(done[:3], (0, "", ""))
        return self.path(name)

    def grown(self, old, new):
        """{function: (growth in bytes, in objects)} by the JSON report, and the report's text."""
        report = json.loads(self.heapdiff("--base", old, "--json", new))
        found = {}
        for site in report["sites"]:
            for function in {report["frames"][index]["function"] for index in site["stack"]}:
                values = site["values"]
                one = found.get(function, (0, 0))
                found[function] = (one[0] + values["inuse_space"], one[1] + values["inuse_objects"])
        return found, self.heapdiff("--base", old, new)

    def test_two_runs_of_the_same(self):
        """Under address space randomisation every site finds its like."""
        for name in ("one.prof", "two.prof"):
            self.run_program([harness.helper("truth"), self.path("table")], "out=" + name)
        found, text = self.grown(self.path("one.prof"), self.path("two.prof"))
        self.assertEqual({key: value for key, value in found.items() if value != (0, 0)}, {})
        self.assertIn("by address", text)

    def test_rebuilt(self):
        old = self.record(self.build("old", False, 20), "old.prof")
        new = self.record(self.build("new", True, 30), "new.prof")
        # The same path for both, as where a program is built again in its place.
        found, text = self.grown(old, new)
        self.assertEqual(found.get("steady_site", (0, 0)), (0, 0))
        self.assertEqual(found["grown_site"], (500, 10))
        self.assertEqual(found["added_site"], (77, 1))
        self.assertIn("by function", text)

    def test_separate_debug_file(self):
        program = self.build("split", False, 5)
        debug = program + ".debug"
        for command in (["objcopy", "--only-keep-debug", program, debug], ["strip", program],
                        ["objcopy", "--add-gnu-debuglink=" + debug, program]):
            if not shutil.which(command[0]):
                self.skipTest("no " + command[0])
            subprocess.run(command, check=True, cwd=self.path("split"))
        profile = self.record(program, "split.prof")
        self.assertRegex(self.heapdiff("--lines", "--top", "9", profile),
                         r"grown_site.*split\.c:\d+")

    def test_stripped(self):
        program = self.build("bare", False, 5, "-s")
        profile = self.record(program, "bare.prof")
        self.assertRegex(self.heapdiff(profile), r"program\+0x[0-9a-f]+")

    def test_unrelated(self):
        old = self.record(self.build("old", False, 20), "old.prof")
        self.run_program([harness.helper("truth"), self.path("table")], "out=truth.prof")
        errors = self.heapdiff("--base", old, self.path("truth.prof"), status=1)
        self.assertRegex(errors, r"\Aheapdiff: [^\n]+\n\Z")

    def test_other_compilers_frames(self):
        """No frame pointers, no debug information, large stack frames: stacks stay whole."""
        for flags in (("-fomit-frame-pointer",), ("-fno-omit-frame-pointer",), ("-g0", "-O0"),
                      ("-fno-plt",), ("-no-pie",)):
            with self.subTest(flags):
                name = "f%d" % abs(hash(flags))
                profile = self.record(self.build(name, False, 20, *flags), name + ".prof")
                report = self.heapdiff("--traces", profile)
                self.assertIn("grown_site", report)
                self.assertNotIn("ended early", self.heapdiff(profile))


if __name__ == "__main__":
    harness.main()
