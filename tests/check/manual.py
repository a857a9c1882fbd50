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


def options_of(*command):
    usage = subprocess.run([COMMAND, *command, "--help"], capture_output=True, text=True,
                           check=True).stdout
    return set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", usage))


class Manual(unittest.TestCase):
    def test_options_of_the_command(self):
        page = text_of("src/doc/heapdiff.1")
        completion = text_of("src/doc/heapdiff.bash")
        known = set(re.findall(r"\bFl -([a-z-]+)|, -([a-z][a-z-]+)", page))
        known = {name for pair in known for name in pair if name} | {"help"}
        for command in ([], ["run"], ["snap"], ["rss"], ["attach"], ["collections"], ["recover"], ["export"]):
            options = options_of(*command)
            self.assertTrue(options)
            self.assertEqual(options - known, set(), "not in heapdiff(1): " + " ".join(command))
            for option in options - {"alloc-space"}:
                self.assertIn("--" + option, completion)

    def test_keys_of_the_library(self):
        page = text_of("src/doc/libheapdiff.7")
        environment = dict(os.environ, LD_PRELOAD=PRELOAD, HEAPDIFF="help")
        said = subprocess.run(["/bin/true"], env=environment, capture_output=True, text=True).stderr
        keys = re.findall(r"^  (\w+)=", said, re.MULTILINE)
        self.assertIn("out", keys)
        for key in keys:
            self.assertIn(".It Cm %s Ns" % key, page)
            self.assertRegex(text_of("src/doc/heapdiff.bash"), r"\b%s\b" % key)

    def test_functions_of_the_header(self):
        page = text_of("src/doc/libheapdiff.7")
        for name in re.findall(r"static inline \w+ (heapdiff_\w+)", text_of("include/heapdiff.h")):
            self.assertIn(".Fn " + name, page)

    def test_json_members(self):
        page = text_of("src/doc/heapdiff.1")
        source = "".join(text_of("src/cli/report", name) for name in (
            "render_json.c", "ledger_json.c", "summary.c"))
        names = set(re.findall(r'(?:json_\w+|put_\w+)\(\s*&?json, "(\w+)"', source))
        self.assertGreater(len(names), 30)
        for name in sorted(names - {"kind"}):
            self.assertTrue(re.search(r"\bVa (?:\w+ , )*%s\b" % name, page),
                            name + " is not in heapdiff(1)")


if __name__ == "__main__":
    if not os.path.exists(COMMAND):
        sys.exit(77)
    unittest.main(verbosity=2)
