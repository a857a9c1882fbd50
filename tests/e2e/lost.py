"""Nothing is dropped silently: what cannot be recorded is counted, and every report says so."""

import os
import platform
import re
import signal
import unittest

import harness
from prof import Profile

SAID = {
    "lost_blocks": "allocations that found no room in the tables",
    "lost_ranges": "mmap records that found no room in the tables",
    "lost_nested_events": "events in signal handlers that interrupted heapdiff",
    "cut_stacks": "outer frames of stacks deeper than 256",
    "unwind_ends": "outer frames of stacks whose unwind information ends early",
    "unclean_cuts": "moments at which a busy thread could not be waited for",
    "lost_snapshots": "snapshots that could not be written",
}


class Lost(harness.Case):
    def told(self, path, fact):
        """The count of a fact, which the report must print, too, as a comparison must."""
        count = int(Profile(path).check().facts[fact])
        for arguments in ((path,), ("--base", path, path)):
            report = self.heapdiff(*arguments)
            found = re.search("lost: %s: ([0-9,]+)" % re.escape(SAID[fact]), report)
            self.assertIsNotNone(found, report)
            self.assertEqual(int(found[1].replace(",", "")), count)
        self.assertIn('"%s": %d' % (fact, count), self.heapdiff("--json", path))
        return count

    def recorded(self, *arguments):
        """Runs a program to its end: (what it printed, its profile's path)."""
        path = self.path("run.prof")
        done = self.run_program([harness.helper(arguments[0]), *arguments[1:]], "out=" + path)
        self.assertEqual(done[0], 0, done[2])
        return done[1].strip(), path

    def made_by(self, path, function):
        profile = Profile(path)
        return sum(sample.values["alloc_objects"] for sample in profile.samples
                   if function in [name for _, name in profile.frames(sample)])

    def test_no_room_for_blocks(self):
        calls, path = self.recorded("lost", "blocks")
        lost = self.told(path, "lost_blocks")
        self.assertGreater(lost, 1000)
        self.assertEqual(self.made_by(path, "allocate_by") + lost, int(calls))

    def test_no_room_for_ranges(self):
        calls, path = self.recorded("lost", "ranges")
        lost = self.told(path, "lost_ranges")
        self.assertGreater(lost, 1000)
        self.assertLessEqual(self.made_by(path, "lose_ranges") + lost, int(calls) + 1)

    def test_handlers_that_interrupt_the_profiler(self):
        events, path = self.recorded("adversary_plain", "timer")
        self.assertLessEqual(self.told(path, "lost_nested_events"), int(events))

    def test_snapshots_that_a_thread_holds_up(self):
        """It sleeps in a handler that has interrupted its recording: the others do not wait for it."""
        naps, path = self.recorded("lost", "cuts")
        self.assertIn(self.told(path, "unclean_cuts"), range(1, int(naps) + 1))

    def test_stacks_that_are_cut(self):
        _, path = self.recorded("adversary_plain", "all")
        self.assertEqual(self.told(path, "cut_stacks"), 40)
        self.assertGreater(int(Profile(path).facts["unwind_full"]), 0, "walks with all registers")

    @unittest.skipUnless(platform.machine() == "x86_64", "code is generated for x86_64 only")
    def test_stacks_that_end_early(self):
        _, path = self.recorded("adversary_plain", "generated")
        self.assertEqual(self.told(path, "unwind_ends"), 20)

    def test_snapshots_that_cannot_be_written(self):
        os.mkdir(self.path("later"))
        child = self.start([harness.helper("truth"), self.path("table"), "wait"],
                           "out=%s" % self.path("later", "%c.prof"))
        self.assertEqual(child.stdout.readline(), b"ready\n")
        os.rmdir(self.path("later"))
        child.send_signal(signal.SIGUSR1)
        self.assertIn(b"heapdiff: ", child.stderr.readline())
        os.mkdir(self.path("later"))
        child.send_signal(signal.SIGUSR1)
        harness.wait_until(lambda: self.profiles("later/*.prof"), "a snapshot")
        self.assertEqual(self.told(self.profiles("later/*.prof")[0], "lost_snapshots"), 1)


if __name__ == "__main__":
    harness.main()
