"""The truth program: every site and byte of truth.h, by each way a program can end."""

import os
import signal

import harness
from prof import Profile


def read_table(path):
    table = {}
    with open(path) as file:
        for line in file:
            name, kind, values = line.split(None, 2)
            table[name, kind] = [int(value) for value in values.split(",")]
    return table


def owner_of(frames, names, own):
    """The site a stack belongs to: the innermost listed function, else what made it."""
    for file, name in frames:
        if os.path.basename(file) in own and name in names:
            return name
    for file, name in frames:
        if os.path.basename(file) in own:
            return "library" if name and name.startswith("library_") else "unlisted %s" % name
    return "elsewhere"


class Truth(harness.Case):
    own = ("truth", "libtruth_plugin.so")

    def measured(self, profile, names):
        sums = {}
        for sample in profile.samples:
            if sample.kind == "ledger":
                continue
            owner = owner_of(profile.frames(sample), names, self.own)
            if owner in ("library", "elsewhere"):
                continue
            values = [sample.values[name] for name in
                      ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")]
            old = sums.get((owner, sample.kind), [0] * 4)
            sums[owner, sample.kind] = [a + b for a, b in zip(old, values)]
        return sums

    def check_truth(self, path, live_only=False):
        """Compares every row; a site that only failed has no sample."""
        table = read_table(self.path("table"))
        profile = Profile(path).check()
        self.assertEqual(profile.lost(), {})
        measured = self.measured(profile, {name for name, _ in table})
        wrong = []
        for key in sorted(set(table) | set(measured)):
            want, got = table.get(key, "nothing"), measured.get(key, [0] * 4)
            if live_only and want != "nothing":
                want, got = want[2:], got[2:]
            if want != got:
                wrong.append("%s %s: want %s, got %s" % (*key, want, got))
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))
        return profile

    def run_truth(self, ending=None, options=None):
        arguments = [harness.helper("truth"), self.path("table")] + ([ending] if ending else [])
        return self.run_program(arguments, options)

    def same_as_plain(self, done, ending):
        plain = self.run_program([harness.helper("truth"), self.path("table"), ending],
                                 preload=False)
        self.assertEqual(done[:3], plain[:3])


class Endings(Truth):
    def ends_with_profile(self, ending):
        done = self.run_truth(ending)
        self.same_as_plain(done, ending)
        found = self.profiles("truth.*.prof")
        self.assertEqual(len(found), 1, os.listdir(self.directory))
        self.assertEqual(self.boxes(done[3]), [], "the black box must go")
        return self.check_truth(found[0])

    def test_return(self):
        profile = self.ends_with_profile("return")
        self.assertEqual(profile.facts["program"], "truth")
        self.assertEqual(profile.facts["threads"], "1")
        self.assertGreaterEqual(int(profile.facts["cut_stacks"]), 3)
        self.assertTrue(profile.file(profile.mappings[1]).endswith("/truth"), "main binary first")

    def test_low_exit(self):
        self.ends_with_profile("_exit")

    def test_quick_exit(self):
        self.ends_with_profile("quick_exit")

    def test_exec(self):
        done = self.run_truth("exec")
        self.same_as_plain(done, "exec")
        self.check_truth(self.profiles("truth.%d.*.prof" % done[3])[0])
        self.assertEqual(len(self.profiles("echo.%d.*.prof" % done[3])), 1)

    def killed(self, ending):
        done = self.run_truth(ending)
        self.same_as_plain(done, ending)
        self.assertEqual(self.profiles(), [])
        self.assertEqual(len(self.boxes(done[3])), 1, "the black box stays")
        self.heapdiff("recover", str(done[3]), "-o", self.path("recovered.prof"))
        self.check_truth(self.path("recovered.prof"))

    def test_kill(self):
        self.killed("kill")

    def test_segv(self):
        self.killed("segv")

    def test_abort(self):
        self.killed("abort")


class Snapshots(Truth):
    def started(self, options=None):
        child = self.start([harness.helper("truth"), self.path("table"), "wait"], options)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        return child

    def test_signal_then_kill(self):
        child = self.started()
        for count in (1, 2, 3):
            self.check_truth(self.snapshot(child, count))
        child.kill()
        child.wait()
        box = self.boxes(child.pid)[0]
        self.assertEqual(os.stat(box).st_mode & 0o777, 0o600)
        listed = self.heapdiff("recover")
        self.assertIn(str(child.pid), listed)
        self.heapdiff("recover", box, "-o", self.path("recovered.prof"))
        self.check_truth(self.path("recovered.prof"))

    def test_snap_asks_by_signal(self):
        child = self.started()
        self.heapdiff("snap", str(child.pid), "-o", self.path("snapped.prof"))
        self.check_truth(self.path("snapped.prof"))

    def test_snap_reads_the_box(self):
        child = self.started("signal=none")
        self.heapdiff("snap", str(child.pid), "-o", self.path("snapped.prof"))
        self.check_truth(self.path("snapped.prof"))

    def test_without_box(self):
        child = self.started("blackbox=off")
        self.assertEqual(self.boxes(child.pid), [])
        self.check_truth(self.snapshot(child, 1))

    def test_box_elsewhere(self):
        os.mkdir(self.path("boxes"))
        child = self.started("blackbox=" + self.path("boxes"))
        self.assertEqual(len(os.listdir(self.path("boxes"))), 1)
        child.send_signal(signal.SIGKILL)
        child.wait()
        box = os.listdir(self.path("boxes"))[0]
        self.heapdiff("recover", self.path("boxes", box), "-o", self.path("recovered.prof"))
        self.check_truth(self.path("recovered.prof"))

    def test_two_paths_are_two_sites(self):
        profile = Profile(self.snapshot(self.started(), 1))
        stacks = [[name for _, name in profile.frames(one)] for one in profile.samples
                  if one.kind != "ledger"]
        shared = [one for one in stacks if "shared_leaf" in one]
        self.assertEqual(len([one for one in shared if "path_left" in one]), 2)
        self.assertEqual(len([one for one in shared if "path_right" in one]), 1)

    def test_stacks_are_whole(self):
        """Every stack with a listed site reaches its thread's first function."""
        profile = Profile(self.snapshot(self.started(), 1))
        table = {name for name, _ in read_table(self.path("table"))}
        for sample in profile.samples:
            if sample.kind == "ledger":  # a frame on top of what may be the deepest stack
                continue
            names = [name for _, name in profile.frames(sample)]
            if "deep_step" in names:
                self.assertEqual(len(names), 256)
            elif table & set(names) - {"early_constructor", "coroutine_body", "thread_destructor"}:
                self.assertTrue({"main", "thread_main"} & set(names), names)


if __name__ == "__main__":
    harness.main()
