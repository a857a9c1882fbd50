"""Hosts that could be harmed: programs that start others, sandboxes, limits, allocators, odd links."""

import os
import signal
import subprocess

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
        self.assertGreater(self.counted(path, "thread_site")[0], 30000)
        self.assertEqual(self.boxes(pid), [])


class Sandbox(Host):
    """Filters that a program puts on itself, and that kill for calls which it does not make."""

    def start_filter(self, how, action, more=None):
        return self.start([harness.helper("hosts_filter"), how, action], stdin=subprocess.PIPE,
                          more=more)

    def until_ready(self, child):
        lines = []
        while not lines or lines[-1] not in (b"ready\n", b""):
            lines.append(child.stdout.readline())
        return lines

    def finish(self, child):
        child.stdin.write(b"x")
        errors = child.communicate(timeout=30)[1].decode()
        self.assertEqual(child.returncode, 6, errors)
        return errors

    def test_filters_that_kill(self):
        for how in ("prctl", "seccomp", "syscall"):
            for action in ("kill", "trap", "zero"):
                with self.subTest(how=how, action=action):
                    self.check_deadly(how, action)

    def check_deadly(self, how, action):
        child = self.start_filter(how, action)
        self.assertEqual(self.until_ready(child), [b"probed 1\n", b"child 5\n", b"ready\n"])
        child.send_signal(signal.SIGUSR1)  # nobody may answer this from inside
        snapped, recovered = self.path(how + action + "1"), self.path(how + action + "2")
        self.heapdiff("snap", str(child.pid), "-o", snapped)
        self.assertEqual(self.counted(snapped, "filter_site"), [7, 7])
        errors = self.finish(child)
        self.assertEqual(errors.count("\n"), 1, errors)
        self.assertIn("heapdiff recover", errors)
        self.assertEqual(self.profiles(), [])
        self.heapdiff("recover", str(child.pid), "-o", recovered)
        self.assertEqual(self.counted(recovered, "filter_site"), [12, 12])
        sites = 8192 * (4 if how == "seccomp" else 1)
        self.assertGreaterEqual(self.counted(recovered, "spread")[0], sites)

    def test_filter_that_refuses(self):
        """ENOSYS for everything we do: a program that is none the worse, and a box that is left."""
        child = self.start_filter("seccomp", "errno")
        self.until_ready(child)
        self.finish(child)
        self.heapdiff("recover", str(child.pid), "-o", self.path("recovered"))
        self.assertEqual(self.counted(self.path("recovered"), "filter_site")[0], 12)

    def test_filter_that_was_there_first(self):
        """The program is started inside of it, as by a container's run time: without what we like."""
        command = [harness.helper("hosts_filter"), "prctl", "errno", "/bin/sh", "-c",
                   "for i in 1 2 3; do (echo $i); done; exec /bin/echo 4"]
        pid = self.same(command, "blackbox=off")
        self.assertEqual(len(self.profiles("*.%d.*.prof" % pid)), 3, "the helper's, sh's, echo's")
        done = self.run_program(command)
        self.assertEqual(done[:2], (0, "probed 1\n1\n2\n3\n4\n"))
        self.assertIn("no black box", done[2])


if __name__ == "__main__":
    harness.main()
