"""SIGUSR1 shared with the program, in any order; signals in a storm; heapdiff.h."""

import os
import signal
import time

import harness
from prof import Profile


class Handlers(harness.Case):
    def same(self, mode, written, options=None):
        """The program's own view is a plain run's; `written` profiles, the final one included."""
        done = self.run_program([harness.helper("signals"), mode], options)
        plain = self.run_program([harness.helper("signals"), mode], preload=False)
        self.assertEqual(done[:3], plain[:3])
        self.assertEqual(len(self.profiles()), written, os.listdir(self.directory))
        for path in self.profiles():
            Profile(path).check()

    def test_sigaction(self):
        self.same("plain", 3)

    def test_siginfo(self):
        self.same("info", 3)

    def test_resethand(self):
        self.same("reset", 2)

    def test_nodefer(self):
        self.same("nodefer", 3)

    def test_ignored(self):
        self.same("ignore", 3)

    def test_signal_function(self):
        self.same("signal", 3)

    def test_signal_function_of_system_v(self):
        self.same("sysv", 2)

    def test_signal_function_by_another_name(self):
        self.same("ssignal", 3)

    def test_handler_then_ignored(self):
        self.same("again", 3)

    def test_taken_by_sigwait_and_signalfd(self):
        self.same("wait", 1)

    def test_not_ours(self):
        self.same("plain", 1, "signal=none")
        self.setUp()
        self.same("plain", 1, "signal=USR2")

    def test_another_signal(self):
        child = self.start([harness.helper("storm"), "1"], "signal=USR2")
        child.stdout.readline()
        Profile(self.snapshot(child, 1, signal.SIGUSR2)).check()
        self.assertEqual(child.wait(), 0)

    def test_handler_installed_before_ours(self):
        preload = harness.PRELOAD + ":" + harness.helper("libearly.so")
        child = self.start([harness.helper("storm"), "1"], more={"LD_PRELOAD": preload})
        lines = [child.stdout.readline()]
        self.snapshot(child, 1)
        lines.append(child.stdout.readline())
        self.assertEqual(lines, [b"ready\n", b"early\n"])
        self.assertEqual(child.wait(), 0)


class Idle(harness.Case):
    def test_asked_for_in_a_free_of_nothing(self):
        """Such a call is no event; what is asked for during it must not wait for one."""
        rounds = 150
        prefix = os.path.join(self.directory, "idle")
        done = self.run_program([harness.helper("idle"), prefix, str(rounds)],
                                "final=off,out=%s.%%c.prof" % prefix)
        self.assertEqual(done[:2], (0, "0 late\n"))
        self.assertEqual(len(os.listdir(self.directory)), rounds)


class Storm(harness.Case):
    def test_storm(self):
        """1,000 signals a second: no deadlock, the program gets on, and nothing is miscounted."""
        seconds = int(os.environ.get("HEAPDIFF_STORM_SECONDS", "3"))
        child = self.start([harness.helper("storm"), str(seconds)])
        child.stdout.readline()
        end = time.monotonic() + seconds
        while time.monotonic() < end and child.poll() is None:
            child.send_signal(signal.SIGUSR1)
            time.sleep(0.001)
        output, errors = child.communicate(timeout=30)
        self.assertEqual((child.returncode, errors), (0, b""))
        found = self.profiles()
        self.assertGreater(len(found), 100)
        last = -1
        for path in found:
            last = self.check_one(path, last)
        self.assertEqual(last, int(output), "every allocation is counted once")
        self.assertEqual(self.check_live(found[-1]), 0, "at rest, all is freed")
        self.assertGreater(last / seconds, 20000, "pairs a second; a quiet run does millions")

    def check_live(self, path):
        """Live blocks of the threads' sites; prof.py has no profile where live is more than asked for."""
        profile = Profile(path).check()
        return sum(one.values["inuse_objects"] + one.values["inuse_space"]
                   for one in profile.samples
                   if "storm_thread" in [name for _, name in profile.frames(one)])

    def check_one(self, path, last):
        profile = Profile(path).check()
        sums = {"alloc_objects": 0, "inuse_objects": 0}
        for sample in profile.samples:
            names = [name for _, name in profile.frames(sample)]
            if "storm_thread" in names:
                for key in sums:
                    sums[key] += sample.values[key]
        self.assertGreaterEqual(sums["alloc_objects"], last, "%s: counters only grow" % path)
        self.assertLessEqual(sums["inuse_objects"], 4 * 64 + 4, path)
        return sums["alloc_objects"]

    def test_nothing_is_left(self):
        child = self.start([harness.helper("storm"), "1"])
        output, _ = child.communicate()
        profile = self.profile()
        self.assertEqual(profile.lost(), {})
        mine = [one for one in profile.samples
                if "storm_thread" in [name for _, name in profile.frames(one)]]
        self.assertEqual(sum(one.values["alloc_objects"] for one in mine),
                         int(output.split()[-1]))
        self.assertEqual(sum(one.values["inuse_objects"] for one in mine), 0)


class Cancelled(harness.Case):
    """Threads that end while they are in a hook: what they held is somebody else's next."""

    def rounds(self, count, *how):
        done = self.run_program([harness.helper("cancelled"), str(count), *how])
        self.assertEqual(done[:3], (0, "done\n", ""))
        profile = self.profile()
        self.assertGreaterEqual(profile.total("mmap", "alloc_objects"), count * 11)
        self.assertNotIn("unclean_cuts", profile.facts)

    def test_cancelled_in_a_handler(self):
        self.rounds(300)

    def test_ended_without_destructors(self):
        self.rounds(150, "exit")


class Interface(harness.Case):
    def sites(self, path):
        profile = Profile(path).check()
        sums = {}
        for sample in profile.samples:
            for name in {name for _, name in profile.frames(sample)}:
                values = [sample.values[key] for key in ("inuse_objects", "inuse_space",
                                                         "collected_objects", "collected_space")]
                sums[name] = [a + b for a, b in zip(sums.get(name, [0] * 4), values)]
        return sums

    def test_without_preload(self):
        done = self.run_program([harness.helper("api")], preload=False)
        self.assertEqual(done[:3], (0, "enabled 0\nsnapshot 38\nmark 38\nsnapshot 38\n", ""))

    def test_with_preload(self):
        done = self.run_program([harness.helper("api"), self.path("asked.prof")])
        self.assertEqual(done[:3], (0, "enabled 1\nsnapshot 0\nmark 0\nsnapshot 0\n", ""))
        asked = self.sites(self.path("asked.prof"))
        self.assertEqual(asked["recorded_site"][:2], [4, 100])
        self.assertNotIn("paused_site", asked)
        second = self.sites(self.profiles("api.*.1.prof")[0])
        self.assertEqual(second["recorded_site"][:2], [8, 200])
        self.assertEqual(len(self.profiles("api.*.prof")), 2, "one asked for, one final")

    def test_mark_keeps_what_was_live(self):
        self.run_program([harness.helper("api"), self.path("asked.prof")])
        path = self.profiles("api.*.1.prof")[0]
        self.assertEqual(Profile(path).facts.get("collections"), "1")

    def test_path_that_cannot_be(self):
        done = self.run_program([harness.helper("api"), "/proc/nowhere/x.prof"])
        self.assertIn("snapshot 2\n", done[1], "ENOENT")
        self.assertEqual(done[0], 0)


if __name__ == "__main__":
    harness.main()
