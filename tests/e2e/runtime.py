"""What the tests of runtimes share: collections of a run, the same output as without us, the native extension."""

import os
import re
import shutil

import harness
from prof import Profile

ROUNDS = 10
LEAK_BYTES = 100 * 2000


def native():
    return harness.helper("libruntime_native.so")


def without_addresses(word):
    """Code and objects lie elsewhere in each run."""
    return re.sub(r"0x[0-9a-f]{6,}", "0x", word) if isinstance(word, str) else word


def need(program):
    """The path of a runtime that Debian has, or the test is skipped. Not one of somebody's own in PATH."""
    path = shutil.which(program, path="/usr/bin:/bin")
    if not path:
        harness.skip(program + " is not installed")
    return path


def need_built(name):
    """An embedding program, which is built where there is something to embed."""
    path = harness.helper(name)
    if not os.path.exists(path):
        harness.skip(name + " is not built")
    return path


def suspects(report):
    """The functions that a report says may leak, the largest first."""
    _, _, after = report.partition("\nleak suspects:")
    return re.findall(r"^ .* grew in \d of 7  (.+)$", after.split("\n\n")[0], re.MULTILINE)


class Case(harness.Case):
    """Programs whose collections are noticed."""

    def both(self, arguments, options="", more=None):
        """Runs it plain and recorded: must be the same to the eye. Its output and, by the name of the runtime, its
        collections."""
        plain = self.run_program(arguments, preload=False, more=more)
        done = self.run_program(arguments, "final=on," + options, more=more)
        self.assertEqual([without_addresses(word) for word in done[:3]],
                         [without_addresses(word) for word in plain[:3]])
        self.profile = self.last(done[3])
        return done[1]

    def last(self, pid):
        return Profile(self.profiles("*.%d.*.prof" % pid)[-1]).check()

    def collections(self, profile=None):
        found = []
        for key, text in (profile or self.profile).facts.items():
            if key.startswith("collection."):
                words, _, reason = text.partition(" reason=")
                found.append(dict(word.split("=") for word in words.split()))
                found[-1].update(number=int(key[11:]), reason=reason)
        return sorted(found, key=lambda entry: entry["number"])

    def marks(self, profile=None):
        return int((profile or self.profile).facts.get("collections", 0))

    def full(self, source, profile=None):
        found = [entry for entry in self.collections(profile) if entry["kind"] == "full"]
        self.assertEqual({entry["source"] for entry in found}, {source} if found else set())
        return found

    def runtime(self, name, profile=None):
        """What is said of a runtime: {"version": ..., "state": ...}; {} when it was not met."""
        for key, text in (profile or self.profile).facts.items():
            words = dict(word.split("=", 1) for word in text.split() if "=" in word)
            if re.fullmatch(r"runtime\.\d+", key) and words.get("name") == name:
                return words
        return {}

    def check_leak(self, arguments, more=None):
        """A script that calls native_round() and collects, ROUNDS times: only the leak is flagged."""
        done = self.run_program(arguments, "final=on", more=more)
        self.assertEqual(done[0], 0, done)
        path = self.profiles("*.%d.*.prof" % done[3])[-1]
        report = self.heapdiff(path)
        self.assertEqual(suspects(report), ["leak_site"])
        return report
