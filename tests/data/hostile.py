"""Whatever a profile says of itself, a terminal is not steered by it, and lines fit the page.

    HEAPDIFF_BUILD=build python3 tests/data/hostile.py
"""

import os
import subprocess
import sys
import tempfile
import unicodedata
import unittest

import make_profiles

COMMAND = os.path.join(os.path.abspath(os.environ.get("HEAPDIFF_BUILD", "build")),
                       "src/cli/heapdiff")
EVIL = "\x1b]0;title\x07\x1b[31m\u009b31m\u202eturned\n\r\x7f\x08\u200f"
WIDE = "内存池" * 30
STEERING = [chr(code) for code in (*range(0x20), *range(0x7f, 0xa0), 0x200e, 0x200f,
                                   *range(0x2028, 0x202f), *range(0x2066, 0x206a), 0xfeff)]
VIEWS = ([], ["--top"], ["--tree"], ["--lines"], ["--files"], ["--addresses"], ["--alloc-objects"],
         ["--base", "old.prof"], ["--diff-base", "old.prof", "--top"])
DATA = (["--traces"], ["--json"], ["export", "--format", "json"], ["export", "--format", "collapsed"],
        ["export", "--format", "speedscope"])


def columns(line):
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


def hostile_frame(name):
    """A frame of the ledger: the text behind its first word is hostile."""
    head, space, rest = name.partition(": ")
    return head + space + EVIL + WIDE + rest if space else name


def hostile_ledger(samples, lines):
    """A ledger of which every name is hostile, and numbers are where they can be."""
    before = make_profiles.LEDGER_FRAMES
    make_profiles.LEDGER_FRAMES = {
        key: name if name.startswith("[allocator") else hostile_frame(name)
        for key, name in before.items()}
    lines = lines + [("@index_file @files", 2 ** 62), ("@service_bss @data", -5)]
    data = hostile(*make_profiles.ledger(samples, lines, 60, -(2 ** 61), swap_bytes=2 ** 63 - 1))
    make_profiles.LEDGER_FRAMES = before
    return data


def hostile(samples, known=None, **more):
    """A profile of which every text is hostile, with a byte that is not UTF-8 here and there."""
    functions = {name: (EVIL + "f" + shown, "/" + EVIL + path, line)
                 for name, (shown, path, line) in make_profiles.FUNCTIONS.items()}
    functions["pool_open"] = (WIDE + "::grow(int)", "/src/" + WIDE + ".c", 19)
    functions["serve"] = ("s" * 3000, "/" + "p" * 3000, 2 ** 60)
    functions["evict"] = ("ns::T<" + "int, " * 400 + "x>::evict(int)", "/a.h", 1)
    texts = ("program", "host", "allocator", "source", "command_line")
    facts = {**make_profiles.facts(7, 60, 31 << 20, **more), **(known or {}),
             **{key: EVIL + "x" * 200 for key in texts}}
    before = make_profiles.FUNCTIONS, make_profiles.TYPES
    make_profiles.FUNCTIONS = functions
    make_profiles.TYPES = [(EVIL + name if name == "resident_space" and not known else name, unit)
                           for name, unit in before[1]]
    data = make_profiles.Writer("0a" * 20, 0).profile(samples, facts)
    make_profiles.FUNCTIONS, make_profiles.TYPES = before
    return data.replace("\u200f".encode(), b"\x9b1m")


class Hostile(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        evil = [(stack, EVIL[:14] if number == 0 else kind, objects, size)
                for number, (stack, kind, objects, size) in enumerate(make_profiles.NEW)]
        make_profiles.write(self.directory.name, "old.prof", hostile(make_profiles.OLD))
        make_profiles.write(self.directory.name, "new.prof", hostile(evil, lost_blocks=2 ** 62))
        make_profiles.write(self.directory.name, "ledger_old.prof", hostile_ledger(
            make_profiles.LEDGER_OLD, make_profiles.LEDGER_OLD_LINES))
        make_profiles.write(self.directory.name, "ledger.prof", hostile_ledger(
            make_profiles.LEDGER_NEW, make_profiles.LEDGER_NEW_LINES))

    def run_command(self, *arguments, profile="new.prof"):
        done = subprocess.run([COMMAND, *arguments, profile], cwd=self.directory.name, timeout=60,
                              env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}, capture_output=True,
                              check=True)
        text = done.stdout.decode("utf-8", errors="strict").removesuffix("\n")
        found = [letter for line in text.split("\n") for letter in line if letter in STEERING]
        self.assertEqual(found, [], arguments)
        return text

    def test_reports(self):
        for arguments in VIEWS:
            with self.subTest(arguments):
                text = self.run_command(*arguments)
                wide = [line for line in text.split("\n") if columns(line) > 100]
                self.assertEqual(wide, [])

    def test_ledgers(self):
        for arguments in ([], ["--base", "ledger_old.prof"], ["--resident-space"], ["--json"]):
            with self.subTest(arguments):
                text = self.run_command(*arguments, profile="ledger.prof")
                self.assertIn("drift", text)
                wide = [line for line in text.split("\n") if columns(line) > 100]
                self.assertTrue(not wide or "--json" in arguments, wide)

    def test_data(self):
        for arguments in DATA:
            with self.subTest(arguments):
                self.run_command(*arguments)

    def test_the_end_of_a_name_is_kept(self):
        self.assertIn("ns::T<>::evict", self.run_command("--top", "0"))


if __name__ == "__main__":
    if not os.path.exists(COMMAND):
        sys.exit(77)
    unittest.main(verbosity=2)
