"""Functions of runtimes and allocators that not every process has: nobody finds them who would not without us, and
where they are, calls of them come by."""

import os
import struct
import unittest

import harness
import runtime

PT_DYNAMIC, DT_DEBUG, DT_UNKNOWN = 2, 21, 0x6ffffef0
BUILDS = ("lazy", "now", "no_plt", "no_pie", "weak")
PLUGINS = [harness.helper("libweak_plugin_%s.so" % name) for name in ("lazy", "now")]


class Absent(runtime.Case):
    def test_nothing_is_found(self):
        for program in ("weak", "weak_no_pie"):
            for options in ("", "runtimes=none"):
                with self.subTest(program, options=options):
                    output = self.both([harness.helper(program)], options)
                    self.assertRegex(output, r"^\d+ names\n$")

    def test_unlisted(self):
        """A program that the loader leaves no list of its objects: musl's, too, when it is started by the loader's name."""
        with open(harness.helper("weak"), "rb") as file:
            image = bytearray(file.read())
        headers, = struct.unpack_from("<Q", image, 32)
        for i in range(struct.unpack_from("<H", image, 56)[0]):
            kind, _, at, _, _, size = struct.unpack_from("<IIQQQQ", image, headers + i * 56)
            for entry in range(at, at + size, 16) if kind == PT_DYNAMIC else ():
                if struct.unpack_from("<Q", image, entry)[0] == DT_DEBUG:
                    struct.pack_into("<Q", image, entry, DT_UNKNOWN)
        path = os.path.join(self.directory, "weak")
        with open(path, "wb") as file:
            file.write(image)
        os.chmod(path, 0o755)
        self.assertRegex(self.both([path]), r"^\d+ names\n$")


@unittest.skipUnless(os.path.exists(harness.helper("weak_purge_now")), "not built: no jemalloc to link with")
class Purge(runtime.Case):
    def purges(self):
        return len(self.full("jemalloc"))

    def test_each_way(self):
        """All but the last call are seen, by what dlsym() says of all: in a program that is not position independent, its stub."""
        for build in BUILDS:
            with self.subTest(build):
                output = self.both([harness.helper("weak_purge_" + build)] + PLUGINS)
                self.assertEqual(output.count(" 0\n"), 8, output)
                self.assertIn("equal 1", output)
                self.assertEqual(self.purges(), 8 if build == "no_pie" else 7)

    def test_allocator_in_front(self):
        """Its functions are found before any that stand behind us."""
        before = "libjemalloc.so.2:%s" % harness.PRELOAD
        done = self.run_program([harness.helper("weak_purge_weak")], "final=on", more={"LD_PRELOAD": before})
        self.assertEqual(done[1].count(" 0\n"), 6, done)

    def test_opened_again(self):
        """A plugin that was closed comes back to where it was, bound anew."""
        output = self.both([harness.helper("weak_purge_lazy")] + sorted(2 * PLUGINS))
        self.assertEqual(output.count(" 0\n"), 10, output)
        self.assertEqual(self.purges(), 9)

    def test_bound_at_once(self):
        output = self.both([harness.helper("weak_purge_lazy")] + PLUGINS, more={"LD_BIND_NOW": "1"})
        self.assertEqual(output.count(" 0\n"), 8, output)
        self.assertEqual(self.purges(), 7)


class Twins(runtime.Case):
    PLUGINS = [harness.helper("libweak_twin_plugin_%d.so" % i) for i in (1, 2)]

    def test_each_has_its_own(self):
        for plugins, said in ((self.PLUGINS, "1\n2\n"), (self.PLUGINS[::-1], "2\n1\n")):
            self.assertEqual(self.both([harness.helper("weak_twins")] + plugins), said)


if __name__ == "__main__":
    harness.main()
