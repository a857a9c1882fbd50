"""Runtimes of versions that nobody knows yet: said so, and left alone. Each ends the process when it is asked for more
than its version.
"""

import os
import shutil

import harness
import runtime

VERSIONS = {"python": "3.99.0", "ruby": "9.9.0", "lua": "5.9.0", "mono": "99.1.0", "node": "99.1.2.3-node.4",
            "go": "1.99.1", "boehm": "99.0.0", "jvm": "99.0.1+3"}


class Unknown(runtime.Case):
    def met(self, name, options="", more=None):
        """What is said of it in a run beside a plain one."""
        program = harness.helper("runtime_unknown_" + name)
        self.assertEqual(self.both([program], options, more), "done\n")
        return self.runtime(name)

    def test_is_said(self):
        for name, version in VERSIONS.items():
            with self.subTest(name):
                said = self.met(name)
                self.assertEqual((said.get("version"), said.get("state")), (version, "unknown"))
                self.assertEqual((self.marks(), self.collections()), (0, []))
                self.assertIn("runtime %s %s: unknown version: its collections are not noticed" % (name, version),
                              self.heapdiff(self.profile.path))

    def test_turned_off(self):
        for name in VERSIONS:
            with self.subTest(name):
                self.met(name, "runtimes=none")
                self.assertEqual(self.marks(), 0)

    def test_jvm_is_as_others(self):
        """The same JVM with the name of a collector that is known is watched."""
        said = self.met("jvm", more={"UNKNOWN_JVM_COLLECTOR": "Serial full collection pauses"})
        self.assertEqual(said["state"], "watched")

    def test_unprofiled(self):
        """Runtimes that are here, in programs that are not recorded: the hooks that meet them find nobody at home."""
        programs = [[program, "-e", "print(1)"] for program in ("lua5.4", "lua5.3", "lua5.1", "luajit")]
        programs += [["python3", "-c", "import gc; print(gc.collect() >= 0)"], ["ruby", "-e", "GC.start; p 1"],
                     ["node", "-e", "console.log(1)"]]
        programs = [arguments for arguments in programs if shutil.which(arguments[0])]
        built = [harness.helper(name) for name in sorted(os.listdir(harness.HELPERS))
                 if name.startswith(("runtime_embed_", "runtime_unknown_"))]
        programs += [[path] for path in built if os.path.isfile(path)]
        for arguments in programs:
            plain = self.run_program(arguments, preload=False)
            for settings in ("nonsense=1", "only=^nobody$"):
                with self.subTest(arguments, settings=settings):
                    self.assertEqual(self.run_program(arguments, settings)[:2], plain[:2])
        self.assertEqual(self.profiles(), [])


if __name__ == "__main__":
    harness.main()
