"""Hosts that could be harmed: programs that start others, sandboxes, limits, allocators, odd links."""

import os

import harness
from prof import Profile


class Host(harness.Case):
    def counted(self, path, function):
        """[alloc_objects, inuse_objects] of all stacks through `function`."""
        profile = Profile(path).check()
        sums = [0, 0]
        for sample in profile.samples:
            if function in [name for _, name in profile.frames(sample)]:
                sums[0] += sample.values["alloc_objects"]
                sums[1] += sample.values["inuse_objects"]
        return sums

    def same(self, arguments, options=None, **how):
        """Runs it with and without the preload: nobody sees a difference. The recorded one's pid."""
        plain = self.run_program(arguments, preload=False, **how)
        done = self.run_program(arguments, options, **how)
        self.assertEqual(done[:3], plain[:3])
        return done[3]


class Exec(Host):
    def test_ignored_signal_is_inherited(self):
        """By fork, vfork, posix_spawn, posix_spawnp, system, popen."""
        program = harness.helper("hosts_exec")
        for options in (None, "children=off", "only=hosts_exec"):
            with self.subTest(options):
                self.same([program, "ignoring", program], options)

    def test_exec_that_fails_late(self):
        """What only the kernel can know: nothing is left of the attempt, and its time is recorded."""
        with open(self.path("junk"), "w") as file:
            file.write("no program")
        os.chmod(self.path("junk"), 0o755)
        pid = self.same([harness.helper("hosts_exec"), "failing", self.path("junk")])
        path, = self.profiles()
        self.assertTrue(path.endswith(".%d.1.prof" % pid), path)
        self.assertEqual(self.counted(path, "exec_site"), [11, 11])
        self.assertGreater(self.counted(path, "thread_site")[0], 40000)
        self.assertEqual(self.boxes(pid), [])


if __name__ == "__main__":
    harness.main()
