"""fork, vfork, clone, exec, posix_spawn: each process has its own exact profile."""

import contextlib
import os
import signal
import time

import harness
from prof import Profile

STORM_FORKS, STORM_PATHS = 40, 1 << 12  # as family.c has them


class Family(harness.Case):
    def sites(self, path):
        """{function: [alloc_objects, alloc_space, inuse_objects, inuse_space]} of family.c's."""
        sums = {}
        profile = Profile(path).check()
        self.assertEqual(profile.lost(), {})
        for sample in profile.samples:
            names = {name for _, name in profile.frames(sample)}
            for name in names & {"parent_before", "parent_after", "child_only", "thread_main",
                                  "resized"}:
                values = [sample.values[key] for key in
                          ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")]
                sums[name] = [a + b for a, b in zip(sums.get(name, [0] * 4), values)]
        return sums

    def run_family(self, how, *more):
        """Runs it with and without the preload; the parent's pid."""
        done = self.run_program([harness.helper("family"), how, *more])
        plain = self.run_program([harness.helper("family"), how, *more], preload=False)
        self.assertEqual(done[:3], plain[:3])
        self.assertEqual(done[2], "")
        return done[3]

    def check_parent(self, path):
        sites = self.sites(path)
        self.assertEqual(sites["parent_before"], [10, 1000, 10, 1000])
        self.assertEqual(sites["parent_after"], [3, 33, 3, 33])
        self.assertNotIn("child_only", sites)

    def check_child(self, path, forked_from=None):
        sites = self.sites(path)
        self.assertEqual(sites["parent_before"][2:], [8, 800])
        self.assertEqual(sites["child_only"], [5, 350, 5, 350])
        self.assertNotIn("parent_after", sites)
        if forked_from:
            self.assertEqual(Profile(path).facts["forked_from"], str(forked_from))

    def split(self, pid, name="family"):
        """The parent's only profile and the other processes'."""
        mine = self.profiles("%s.%d.*.prof" % (name, pid))
        self.assertEqual(len(mine), 1, os.listdir(self.directory))
        return mine[0], [path for path in self.profiles() if path not in mine]

    def test_fork(self):
        pid = self.run_family("fork")
        parent, children = self.split(pid)
        self.check_parent(parent)
        self.assertEqual(len(children), 1)
        self.check_child(children[0], pid)

    def test_resize(self):
        """A handler forks while its thread is in realloc(): the child has the block once."""
        parent, children = self.split(self.run_family("resize"))
        self.assertEqual(self.sites(parent)["resized"], [4, 1069876, 2, 1049376])
        live = sorted(self.sites(path)["resized"][2:] for path in children)
        self.assertEqual(live, [[1, 1048576], [2, 1049376]])

    def test_resize_ends_in_the_child(self):
        """The same, and the child has no other event before: what it inherits is what it frees."""
        parent, children = self.split(self.run_family("late"))
        self.assertEqual(self.sites(parent)["resized"], [2, 1300, 1, 800])
        self.assertEqual(len(children), 1)
        self.assertEqual(self.sites(children[0])["resized"], [2, 1300, 1, 800])

    def storm(self, how):
        """Forks out of a handler that interrupts events: the child ends them, in a box of its own."""
        done = self.run_program([harness.helper("family"), "storm-" + how])
        if done[0] == 77:
            self.skipTest("this C library has none")
        self.assertEqual((done[0], done[2]), (0, ""))
        count, (parent, children) = int(done[1]), self.split(done[3])
        self.check_parent(parent)
        paths = [values for values in self.storm_paths(parent)]
        self.assertEqual(len(paths), STORM_PATHS)
        self.assertEqual({tuple(values) for values in paths}, {(count // STORM_PATHS, 0)})
        self.assertEqual(len(children), STORM_FORKS)
        for child in children:
            self.check_child(child, done[3])
            self.assertEqual(sum(live for _, live in self.storm_paths(child)), 0)

    def storm_paths(self, path):
        """[alloc_objects, inuse_objects] of each stack of storm_site()."""
        profile = Profile(path)
        return [[one.values["alloc_objects"], one.values["inuse_objects"]]
                for one in profile.samples
                if "storm_site" in [name for _, name in profile.frames(one)]]

    def test_handler_forks_in_an_event(self):
        self.storm("fork")

    def test_handler_forks_without_libcs_handlers(self):
        self.storm("_Fork")

    def test_handler_forks_by_number(self):
        self.storm("clone")

    def test_children_off(self):
        """A child that is not recorded leaves no trace in its parent's tables."""
        done = self.run_program([harness.helper("family"), "fork"], "children=off")
        parent, children = self.split(done[3])
        self.assertEqual(children, [])
        self.check_parent(parent)

    def test_vfork(self):
        parent, children = self.split(self.run_family("vfork"))
        self.check_parent(parent)
        self.assertEqual(children, [], "a vfork child that only exits is not a process of its own")

    def test_vfork_keeps_the_box(self):
        pid = self.run_family("vfork", "kill")
        self.heapdiff("recover", str(pid), "-o", self.path("recovered.prof"))
        self.check_parent(self.path("recovered.prof"))

    def exec_leaves_two(self, how):
        parent, children = self.split(self.run_family(how))
        self.check_parent(parent)
        self.assertEqual([os.path.basename(path).split(".")[0] for path in children], ["true"])
        Profile(children[0]).check()

    def test_vfork_exec(self):
        self.exec_leaves_two("exec")

    def test_spawn(self):
        self.exec_leaves_two("spawn")

    def test_raw_clone(self):
        pid = self.run_family("clone")
        self.check_parent(self.split(pid)[0])

    def test_raw_clone_keeps_the_box(self):
        pid = self.run_family("clone", "kill")
        self.heapdiff("recover", str(pid), "-o", self.path("recovered.prof"))
        self.check_parent(self.path("recovered.prof"))

    def test_daemon(self):
        """The parent leaves by _exit, its child goes on alone."""
        pid = self.run_family("daemon")
        harness.wait_until(lambda: len(self.profiles()) >= 2, "the daemon's profile")
        parent, children = self.split(pid)
        self.assertNotIn("parent_after", self.sites(parent))
        self.assertEqual(self.sites(children[0])["parent_after"], [3, 33, 3, 33])

    def test_fork_among_threads(self):
        parent, children = self.split(self.run_family("threads"))
        self.check_parent(parent)
        self.assertEqual(self.sites(parent)["thread_main"][2:], [0, 0])
        self.assertEqual(len(children), 30)
        for child in children:
            self.check_child(child)

    def test_fork_then_kill(self):
        """Both boxes stay, under two names."""
        pid = self.run_family("fork", "kill")
        self.assertEqual(len(self.profiles()), 1, "the child's")
        self.assertEqual(len(self.boxes(pid)), 1)
        self.heapdiff("recover", str(pid), "-o", self.path("recovered.prof"))
        self.check_parent(self.path("recovered.prof"))

    def test_child_answers_signals(self):
        """A forked child that lives on is asked by its own pid."""
        shell = self.start(["bash", "-c", "(sleep 2; :) & echo $!; wait"])
        child = int(shell.stdout.readline())
        time.sleep(0.3)
        for pid in (child, shell.pid):
            os.kill(pid, signal.SIGUSR1)
            found = harness.wait_until(lambda p=pid: self.profiles("bash.%d.1.prof" % p), "it")
            Profile(found[0]).check()
        with contextlib.suppress(ProcessLookupError):  # on a busy machine it has ended by now
            os.kill(child, signal.SIGKILL)
        for box in self.boxes(child):
            os.unlink(box)


if __name__ == "__main__":
    harness.main()
