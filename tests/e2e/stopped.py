"""A collector that stops threads by signals, at any instruction, and maps memory meanwhile: nobody waits for ever, and what
could not be recorded is counted."""

import harness
import runtime
from prof import Profile

ROUNDS = 200
MAP_BYTES = 1 << 16


class Stopped(runtime.Case):
    def test_goes_on(self):
        self.check()

    def test_by_semaphore(self):
        self.check("semaphore")

    def check(self, *how):
        done = self.run_program([harness.helper("stopped"), str(ROUNDS), *how], "final=on")
        self.assertEqual(done[:3], (0, "%d rounds\n" % ROUNDS, ""))
        profile = Profile(self.profiles("stopped.*")[-1]).check()
        blocks = ranges = 0
        for sample in profile.samples:
            if "work" in [name for _, name in profile.frames(sample)]:
                blocks += sample.values["inuse_objects"] if sample.kind == "malloc" else 0
                ranges += sample.values["inuse_space"] if sample.kind == "mmap" else 0
        self.assertEqual(blocks, 0)
        # What was unmapped while the map of ranges was held by a thread that stood still.
        self.assertLessEqual(ranges, MAP_BYTES * int(profile.facts.get("lost_ranges", 0)))


if __name__ == "__main__":
    harness.main()
