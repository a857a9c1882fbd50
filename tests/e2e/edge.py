"""What programs rarely do, and must be able to: odd names, tiny stacks, failing execs, races."""

import os
import shutil

import harness
from prof import Profile


class Edge(harness.Case):
    def counted(self, path, function):
        self.assertEqual(Profile(path).lost(), {})
        return super().counted(path, function)[0]

    def run_edge(self, *arguments, program="edge", **how):
        done = self.run_program([harness.helper(program), *arguments], **how)
        self.assertEqual(done[:3], (0, "", ""))
        return done[3]

    def test_smallest_stacks(self):
        self.run_edge("small")
        self.assertEqual(len(self.profiles()), 81)
        self.assertEqual(self.counted(self.profiles()[-1], "edge_site"), 800)

    def test_failed_exec(self):
        pid = self.run_edge("exec")
        last = self.profiles("edge.%d.*.prof" % pid)[-1]
        self.assertEqual(self.counted(last, "edge_site"), 11)
        self.assertEqual(self.boxes(pid), [])

    def test_exit_while_others_allocate(self):
        for _ in range(30):
            pid = self.run_edge("race")
            self.assertEqual(self.boxes(pid), [])
        for path in self.profiles():
            Profile(path).check()
        self.assertEqual(len(self.profiles()), 30)

    def test_libraries_take_turns(self):
        self.run_edge("turns", harness.helper("libturn_left.so"),
                      harness.helper("libturn_right.so"))
        path = self.profile().path
        self.assertEqual(self.counted(path, "left_site"), 120)
        self.assertEqual(self.counted(path, "right_site"), 120)

    def test_deaf_program(self):
        """Signals blocked for good: `snap` reads the black box."""
        child = self.start([harness.helper("edge"), "deaf"])
        child.stdout.readline()
        self.heapdiff("snap", str(child.pid), "-o", self.path("snapped.prof"))
        self.assertEqual(self.counted(self.path("snapped.prof"), "edge_site"), 7)

    def test_program_closes_every_descriptor(self):
        self.run_edge("close")
        self.assertEqual(self.counted(self.profile().path, "edge_site"), 17)

    def test_program_with_its_own_malloc(self):
        """What cannot be seen is said, once; mmap is recorded, and nothing breaks."""
        done = self.run_program([harness.helper("own_malloc")])
        self.assertEqual(done[:2], (0, "1 its own 1\n"))
        self.assertEqual(done[2].count("\n"), 1)
        self.assertIn("defines malloc itself", done[2])
        profile = self.profile()
        self.assertEqual(profile.facts["allocator"], "the program's own")
        self.assertEqual(self.counted(profile.path, "own_mmap_site"), 1)

    def test_odd_names(self):
        for name in ("we ird", "per%cent%p", "q'uo\"te", "new\nline", "\u00fcml\u00e4ut", "n" * 200,
                     "-dash", "a,b=c"):
            with self.subTest(name):
                shutil.copy(harness.helper("edge"), self.path(name))
                done = self.run_program([self.path(name), "x" * 9000])
                self.assertEqual(done[:3], (0, "", ""))
                found = [path for path in self.profiles() if ".%d." % done[3] in path]
                self.assertEqual(len(found), 1)
                self.assertEqual(self.counted(found[0], "edge_site"), 3)

    def test_directory_is_gone(self):
        script = "mkdir gone && cd gone && rmdir ../gone && exec %s" % harness.helper("edge")
        done = self.run_program(["bash", "-c", script], "only=^edge$")
        self.assertEqual(done[:2], (0, ""))

    def test_other_user(self):
        """A program that drops its rights before it ends still has a box, or a profile."""
        if os.getuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("not root, or no setpriv")
        os.chmod(self.directory, 0o777)
        for path in (harness.PRELOAD, harness.helper("edge")):  # the build may be out of its reach
            os.chmod(shutil.copy(path, self.directory), 0o755)
        done = self.run_program(["setpriv", "--reuid=65534", "--clear-groups", self.path("edge")],
                                more={"LD_PRELOAD": self.path("libheapdiff.so")})
        self.assertEqual(done[:3], (0, "", ""))
        self.assertEqual(self.counted(self.profiles("edge.*")[0], "edge_site"), 3)

    def test_closed_standard_files(self):
        done = self.run_program(["bash", "-c", "exec %s <&- >&- 2>&-" % harness.helper("edge")])
        self.assertEqual(done[:3], (0, "", ""))
        self.assertEqual(self.counted(self.profiles("edge.*")[0], "edge_site"), 3)

    def test_deleted_program(self):
        """Its file is gone: the profile is there all the same."""
        shutil.copy(harness.helper("storm"), self.path("short-lived"))
        child = self.start([self.path("short-lived"), "1"])
        child.stdout.readline()
        os.unlink(self.path("short-lived"))
        Profile(self.snapshot(child, 1)).check()

    def test_loaded_twice(self):
        done = self.run_program([harness.helper("edge")],
                                more={"LD_PRELOAD": harness.PRELOAD + " " + harness.PRELOAD})
        self.assertEqual(done[:3], (0, "", ""))
        self.assertEqual(self.counted(self.profile().path, "edge_site"), 3)


if __name__ == "__main__":
    harness.main()
