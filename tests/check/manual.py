#!/usr/bin/env python3
"""The manual pages and the completion know every option that the programs know."""

import os
import re
import subprocess
import sys
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("HEAPDIFF_BUILD", "build"))
COMMAND = os.path.join(BUILD, "src/cli/heapdiff")
PRELOAD = os.path.join(BUILD, "src/preload/libheapdiff.so")


def text_of(*names):
    with open(os.path.join(SOURCE, *names)) as file:
        return file.read()


COMMANDS = ["", "run", "snap", "rss", "attach", "collections", "recover", "export"]
TYPES = {"alloc-space", "resident-space"}  # of the sample types: each is an option, and is listed as that
COMPATIBLE = {"format", "nodecount", "version"}  # another command's, pprof's name of --top, or said elsewhere
OTHER_OPTIONS = {"pointers", "ints", "offheap", "atomic", "seconds"}  # of the examples
OTHER_KEYS = {"PYTHONMALLOC", "GOGC", "GODEBUG", "debug", "HEAPDIFF", "trace"}


def usage_of(command=""):
    return subprocess.run([COMMAND, *filter(None, [command]), "--help"], capture_output=True, text=True,
                          check=True).stdout


def options_of(command):
    """Also those in brackets, that no line of its own tells of: -h, --help."""
    return set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", usage_of(command))) | {"help"}


def library_keys():
    environment = dict(os.environ, LD_PRELOAD=PRELOAD, HEAPDIFF="help")
    said = subprocess.run(["/bin/true"], env=environment, capture_output=True, text=True, check=True).stderr
    return set(re.findall(r"^  (\w+)=", said, re.MULTILINE))


class Manual(unittest.TestCase):
    def test_options_of_the_command(self):
        """Each one of each command, and none that there is not, is in its part of the page and completed."""
        page = text_of("src/doc/heapdiff.1")
        parts = {part.split("\n", 1)[0]: part for part in re.split(r"^\.S[sh] ", page, flags=re.MULTILINE)}
        for command in COMMANDS:
            part = parts["heapdiff " + command if command else "Options of the report"]
            lines = " ".join(re.findall(r"^\.It Fl (.*)", part, re.MULTILINE))
            named = set(re.findall(r"(?<![\w-])-([a-z][a-z-]+)", lines))
            options = options_of(command)
            self.assertTrue(options)
            self.assertEqual(options ^ named, (options ^ named) & (TYPES | COMPATIBLE | {"help"}), command)

    def test_completion(self):
        text = text_of("src/doc/heapdiff.bash")
        known = text[text.index("_heapdiff_options()"):]
        for command in COMMANDS:
            words = re.search(r"^    %s\) echo \"([^\"]*)" % (command or r"\*"), known, re.MULTILINE)[1]
            words = set(re.findall(r"--([a-z-]+)", words.partition("$(")[0]))
            options = options_of(command) | {"help"}
            self.assertEqual(words ^ options, (words ^ options) & (TYPES | COMPATIBLE), command)
        listed = re.search(r"^    run \| ([\w |]+)\) \(\(", text, re.MULTILINE)[1].split(" | ")
        self.assertEqual(sorted(["run", *listed]), sorted(filter(None, COMMANDS)))

    def test_commands(self):
        usage = usage_of()
        named = {name for name in re.findall(r"^ +heapdiff ([a-z]+) ", usage, re.MULTILINE)}
        self.assertEqual(named, set(filter(None, COMMANDS)))
        for command in named:
            self.assertIn("heapdiff " + command, text_of("README.md") + text_of("examples/README.md"))
            self.assertIn(".Ss heapdiff %s\n" % command, text_of("src/doc/heapdiff.1"))

    def test_readme(self):
        """What README.md and the examples tell to type is there."""
        options = set().union(*map(options_of, COMMANDS)) | OTHER_OPTIONS | TYPES
        keys = library_keys() | OTHER_KEYS
        text = text_of("README.md") + text_of("examples/README.md")
        typed = re.findall(r"heapdiff [^`\n]*|`--[^`]*`", text)
        named = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", "\n".join(typed)))
        self.assertEqual(named - options, set())
        values = re.findall(r"(?:HEAPDIFF=|`)(\w+)=[^`\s]+", text.replace("HEAPDIFF=key=value,key=value", ""))
        self.assertIn("sample", values)
        self.assertEqual(set(values) - keys, set())

    def test_keys_of_the_library(self):
        keys = library_keys()
        self.assertIn("out", keys)
        page, completion = text_of("src/doc/libheapdiff.7"), text_of("src/doc/heapdiff.bash")
        self.assertEqual(keys, set(re.findall(r"^\.It Cm (\w+) Ns =", page, re.MULTILINE)))
        words = re.search(r"-S = -W \"([^\"]*)", completion)[1].split()
        self.assertEqual(keys, set(words))

    def test_functions_of_the_header(self):
        page = text_of("src/doc/libheapdiff.7")
        for name in re.findall(r"static inline \w+ (heapdiff_\w+)", text_of("include/heapdiff.h")):
            self.assertIn(".Fn " + name, page)

    def test_json_members(self):
        page = text_of("src/doc/heapdiff.1")
        source = "".join(text_of("src/cli/report", name) for name in (
            "render_json.c", "site_json.c", "ledger_json.c", "collection_json.c", "summary.c"))
        names = set(re.findall(r'(?:json_\w+|put_\w+)\(\s*&?json, "(\w+)"', source))
        self.assertGreater(len(names), 30)
        for name in sorted(names - {"kind"}):
            self.assertTrue(re.search(r"\bVa (?:\w+ , )*%s\b" % name, page),
                            name + " is not in heapdiff(1)")


if __name__ == "__main__":
    if not os.path.exists(COMMAND):
        sys.exit(77)
    unittest.main(verbosity=2)
