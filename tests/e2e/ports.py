"""The truth program on another C library or processor: `ports.py NAME`, by the meson.build of tests/cross.

HEAPDIFF_BUILD is the port's build, HEAPDIFF_COMMAND the command of another build, which reads what the port
has written; without one the test is skipped. HEAPDIFF_EMULATOR runs the programs of another processor.
"""

import os
import shlex
import sys
import unittest

import harness
import truth
from prof import Profile

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "truth"
EMULATOR = shlex.split(os.environ.get("HEAPDIFF_EMULATOR", ""))
IS_MUSL = os.environ.get("HEAPDIFF_LIBC") == "musl"

harness.COMMAND = os.path.abspath(os.environ.get("HEAPDIFF_COMMAND", ""))
harness.HELPERS = os.environ.get("HEAPDIFF_HELPERS", harness.HELPERS)

plain_environment = harness.environment
plain_start = harness.Case.start


def start(self, arguments, options=None, preload=True, more=None, **how):
    """As Case.start(), with the port's programs under the emulator: there the emulated loader alone preloads."""
    if arguments[0] == harness.COMMAND or not EMULATOR:
        return plain_start(self, arguments, options, preload, more, **how)
    asked = ["-E", "LD_PRELOAD=" + harness.PRELOAD] if preload else []
    more = dict(more or {}, HEAPDIFF=options) if options else more
    return plain_start(self, EMULATOR + asked + arguments, None, False, more, **how)


def read_table(path):
    """Rows by (site, kind), as this C library has them: musl has no C++ and no program break."""
    table = original_read_table(path)
    if IS_MUSL:
        table = {key: row for key, row in table.items() if not key[0].startswith("cxx_")}
        table["sbrk_plain", "mmap"] = table["brk_plain", "mmap"] = [0] * 4
        table["realloc_to_nothing", "malloc"] = [2, 50, 1, 0]
    return table


original_read_table = truth.read_table
truth.read_table = read_table
harness.Case.start = start
harness.helper = lambda name: os.path.join(harness.HELPERS, PROGRAM if name == "truth" else name)
truth.Truth.own = (PROGRAM, "libtruth_plugin.so")


class Endings(truth.Endings):
    def profiles(self, pattern="*.prof"):
        return super().profiles(pattern.replace("truth.", PROGRAM + "."))

    @unittest.skipIf(EMULATOR or IS_MUSL, "/bin/echo is of another libc or processor: it cannot be preloaded")
    def test_exec(self):
        super().test_exec()

    @unittest.skipIf(EMULATOR, "the emulator has a thread of its own")
    def test_return(self):
        super().test_return()


class Snapshots(truth.Snapshots):
    pass


class Build(harness.Case):
    """What is preloaded is what the test is about."""

    def test_the_library_is_the_ports(self):
        with open(harness.PRELOAD, "rb") as file:
            header = file.read(20)
        self.assertEqual(header[18], 0xb7 if EMULATOR else 0x3e, "the processor of " + harness.PRELOAD)

    def test_the_command_reads_it(self):
        self.run_program([harness.helper("truth"), self.path("table")])
        text = self.heapdiff(self.profiles()[0])
        self.assertIn("malloc_large", text)
        self.assertIn("truth_heap.c", text)
        facts = Profile(self.profiles()[0]).facts
        self.assertEqual(facts["allocator"], "musl" if IS_MUSL else "glibc")


if __name__ == "__main__":
    if not os.access(harness.COMMAND, os.X_OK):
        harness.skip("HEAPDIFF_COMMAND names no command")
    harness.main()
