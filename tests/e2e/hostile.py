"""What breaks a tool that lives in another's process: races, handlers that do not come back, odd hosts."""

import os
import subprocess

import harness


class Hostile(harness.Case):
    def run_hostile(self, *arguments, output="", **how):
        done = self.run_program([harness.helper("hostile"), *arguments], **how)
        self.assertEqual(done[:3], (0, output, ""))
        return done[3]

    def test_cxx_library_of_a_c_program(self):
        self.run_hostile("cxx", harness.helper("libhostile_cxx.so"), output="711\n")
        self.assertGreaterEqual(self.counted(self.profile().path, "hostile_cxx")[0], 8)

    def test_libraries_unloaded_at_once(self):
        self.run_hostile("unload", harness.helper("libturn_left.so"),
                         harness.helper("libturn_right.so"))
        path = self.profile().path
        self.assertEqual(self.counted(path, "left_site")[0]
                         + self.counted(path, "right_site")[0], 2 * 3000 * 6)

    def test_libraries_that_libc_unloads(self):
        """Converters of iconv_open(), at one place: what is found there is the one that is there."""
        plain = self.run_program([harness.helper("hostile"), "converters"], preload=False)
        if plain[1] != "one place\n":
            self.skipTest("this C library has its converters elsewhere")
        done = self.run_program([harness.helper("hostile"), "converters"])
        self.assertEqual((done[0], done[2]), (0, ""))
        profile, found = self.profile(), {}
        for sample in profile.samples:
            frames = profile.frames(sample)
            for name in ("first_converter", "second_converter"):
                if name in [function for _, function in frames]:
                    found.setdefault(name, set()).update(
                        os.path.basename(str(file)) for file, _ in frames)
        self.assertIn("UTF-16.so", found["first_converter"])
        self.assertNotIn("UTF-16.so", found["second_converter"])
        self.assertIn("UTF-32.so", found["second_converter"])

    def test_no_line_into_the_programs_file(self):
        self.run_hostile("reuse", self.path("data"),
                         options="out=" + self.path("nowhere", "%c.prof"))
        with open(self.path("data")) as file:
            self.assertEqual(file.read(), "data")

    def run_with_stderr(self, descriptor):
        child = subprocess.Popen(["true"], stderr=descriptor,
                                 env=harness.environment("out=" + self.path("nowhere", "%c.prof")))
        self.children.append(child)
        return child.wait(timeout=20)

    def test_stderr_that_nobody_reads(self):
        """Neither a signal nor a wait for the program, when a line of ours finds no reader."""
        reader, writer = os.pipe()
        os.close(reader)
        self.assertEqual(self.run_with_stderr(writer), 0)
        os.close(writer)
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
        self.assertEqual(self.run_with_stderr(writer), 0)
        os.close(reader)
        os.close(writer)

    def test_handlers_around_forks(self):
        self.run_hostile("forks")

    def test_library_that_allocates_around_forks(self):
        library = harness.helper("libhostile_atfork.so")
        pid = self.run_hostile("forks", more={"LD_PRELOAD": harness.PRELOAD + ":" + library})
        mine, = self.profiles("hostile.%d.*.prof" % pid)
        self.assertEqual(self.counted(mine, "atfork_site"), [1, 1])

    def test_handlers_that_jump_out_of_hooks(self):
        self.run_hostile("jumps")
        self.assertEqual(self.counted(self.profile().path, "hostile_after"), [12, 12])

    def test_loader_is_left_alone(self):
        self.run_hostile("loader")

    def test_child_that_only_execs_writes_nothing(self):
        """Its tables would be copied, and written out, for nothing: 80 ms with 100,000 sites."""
        pid = self.run_hostile("spawner", options="only=hostile")
        self.assertEqual(len(self.profiles()), 1)
        self.assertEqual(len(self.profiles("hostile.%d.*.prof" % pid)), 1)


if __name__ == "__main__":
    harness.main()
