"""What tests of runtimes share: their collections as a profile has them, and runs beside plain ones."""

import os
import re

import harness
from prof import Profile
from runtime import suspects

SITES = os.path.join(harness.HELPERS, "libruntime_sites.so")
LEAK_BYTES = 100 * 2000
ROUNDS = 12


class Runtime(harness.Case):
    name = None  # of the runtime, as in runtimes=

    def run_recorded(self, arguments, options="", **how):
        """Runs it with a trace; self.lines are that, self.profile its last profile."""
        trace = self.path("trace.txt")
        if os.path.exists(trace):
            os.unlink(trace)
        done = self.run_program(arguments, ",".join(filter(None, ["trace=" + trace, options])), **how)
        self.lines = []
        if os.path.exists(trace):
            with open(trace) as file:
                self.lines = file.read().splitlines()
        found = self.profiles("*.%d.*.prof" % done[3])
        self.profile = Profile(found[-1]).check() if found else None
        return done

    def counts(self):
        """Of full and minor collections that were noticed."""
        minor = len([line for line in self.lines if "(minor)" in line])
        return len(self.lines) - minor, minor

    def history(self):
        """[{key: text}] of the collections in the profile, oldest first."""
        found = {}
        for key, text in self.profile.facts.items():
            if key.startswith("collection."):
                words, _, reason = text.partition(" reason=")
                found[int(key[11:])] = dict((word.split("=") for word in words.split()), reason=reason)
        return [found[number] for number in sorted(found)]

    def state(self):
        """What the profile says of this runtime: {key: text}."""
        for key, text in self.profile.facts.items():
            if key.startswith("runtime."):
                fact = dict(word.split("=", 1) for word in re.split(r" (?=\w+=)", text))
                if fact["name"] == self.name:
                    return fact
        return None

    def check_same_as_plain(self, arguments, options="", **how):
        """Runs it plain and recorded: same output, same exit status. Returns those."""
        plain = self.run_program(arguments, preload=False, **how)
        done = self.run_recorded(arguments, options, **how)
        self.assertEqual(done[:3], plain[:3])
        return plain

    def check_turned_off(self, arguments):
        for names in ("none", "boehm"):
            self.run_recorded(arguments, "runtimes=" + names)
            self.assertEqual(self.lines, [])
            self.assertEqual(self.state()["state"], "turned off")

    def check_leak(self, marks=ROUNDS):
        """Of a program that has called sites_round() before each of ROUNDS collections, of `marks` there were."""
        found = suspects(self.heapdiff(self.profile.path))
        # What a machine keeps of its own collections may grow with them (Shenandoah: HdrSeq::add).
        self.assertEqual(found[:1] + [name for name in found[1:] if name.endswith("_site")], ["leak_site"])
        histories = [self.profile.site_fact(ordinal)[1] for ordinal, sample in enumerate(self.profile.samples)
                     if "leak_site" in [name for _, name in self.profile.frames(sample)]]
        histories = [history for history in histories if history]  # some samples are of pages
        self.assertEqual([sum(column) for column in zip(*histories)],
                         [LEAK_BYTES * min(mark, ROUNDS) for mark in range(marks - 7, marks + 1)])
