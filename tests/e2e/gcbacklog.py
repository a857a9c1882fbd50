"""examples/gcbacklog.c, whose story examples/README.md tells: known figures at rest and at the end, in its three ways."""

import os

import harness
from prof import Profile

MIB = 16
HELD = MIB << 20
RECORDS = HELD // 64
ASKED = 56  # bytes of a record, as the program asks for it
VERDICT = "A profile as of the last collection lacks"


class Backlog(harness.Case):
    def site(self, profile, function):
        values = {}
        for sample in profile.samples:
            if profile.frames(sample)[0][1] == function:
                values = {key: values.get(key, 0) + value for key, value in sample.values.items()}
        return values

    def run_way(self, way):
        """The profiles of the moment at which it rests, and of the end."""
        child = self.start([harness.helper("gcbacklog"), way, "--mib", str(MIB), "--seconds", "1"], "final=on")
        self.assertEqual(child.stdout.readline().decode(), "holding %d records, pid %d\n" % (RECORDS, child.pid))
        resting = self.snapshot(child, 1)
        output, errors = child.communicate(timeout=harness.LIMIT_SECONDS)
        self.assertEqual((child.returncode, errors), (0, b""))
        self.assertIn(b" requests, ", output)
        self.paths = resting, self.profiles("gcbacklog.%d.*.prof" % child.pid)[-1]
        return [Profile(path).check() for path in self.paths]

    def check_held(self, values, objects, size):
        """Nothing of it is given up: live then and what came since is what is live now."""
        self.assertEqual((values["inuse_objects"], values["inuse_space"]), (objects, size))
        self.assertEqual(values["collected_space"] + values["since_space"], size)
        self.assertEqual(values["collected_objects"] + values["since_objects"], objects)

    def check_others(self, profile):
        """What is live of any site was live then, or came since."""
        for sample in profile.samples:
            values = sample.values
            self.assertGreaterEqual(values["collected_space"] + values["since_space"], values["inuse_space"])

    def check_way(self, way, function, objects, size):
        resting, last = self.run_way(way)
        for profile in (resting, last):
            self.check_held(self.site(profile, function), objects, size)
            self.check_others(profile)
            self.assertEqual(profile.lost(), {})
        values = self.site(last, function)  # the requests have had it collect
        self.assertEqual((values["collected_space"], values["since_space"]), (size, 0))
        requests = self.site(last, "main")  # garbage when they are answered, but for what looks like pointers
        self.assertLess(requests["collected_objects"], 20)
        self.assertGreater(int(last.facts["collections"]), int(resting.facts["collections"]))
        self.assertNotIn(VERDICT, self.heapdiff("collections", self.paths[1]))
        return resting

    def test_pointers(self):
        resting = self.check_way("--pointers", "take_pointers", RECORDS, RECORDS * ASKED)
        values = self.site(resting, "take_pointers")
        self.assertTrue(0 < values["collected_space"] < RECORDS * ASKED, values)
        self.assertEqual(values["survived_objects"], values["collected_objects"])

    def test_atomic(self):
        self.check_way("--atomic", "take_atomic", MIB, HELD)

    def test_off_heap(self):
        """The collector has had no reason to look since: what it knows is nothing, which is said."""
        resting = self.check_way("--offheap", "take_off_heap", MIB, HELD)
        self.assertEqual(self.site(resting, "take_off_heap")["since_space"], HELD)
        if resting.facts["collections"] != "0":
            self.assertIn(VERDICT + " 16.0 MiB of the 16.0 MiB", self.heapdiff("collections", self.paths[0]))


if __name__ == "__main__":
    if not os.path.exists(harness.helper("gcbacklog")):
        harness.skip("no libgc to build with")
    harness.main()
