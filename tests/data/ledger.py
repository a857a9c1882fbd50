"""The ledger of RSS in every report: it adds up to the byte, and disturbs nothing else.

    HEAPDIFF_BUILD=build python3 tests/data/ledger.py
"""

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

import make_profiles

HERE = os.path.dirname(os.path.abspath(__file__))
COMMAND = os.path.join(os.path.abspath(os.environ.get("HEAPDIFF_BUILD", "build")),
                       "src/cli/heapdiff")
BUILD_ID = "0a" * 20
MUTATIONS = 150


def run(*arguments, directory):
    return subprocess.run([COMMAND, *arguments], cwd=directory, capture_output=True, timeout=60,
                          env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}, check=False)


class Ledger(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        make_profiles.main(self.directory.name)

    def text(self, *arguments):
        done = run(*arguments, directory=self.directory.name)
        self.assertEqual((done.returncode, done.stderr), (0, b""), arguments)
        return done.stdout.decode()

    def json(self, *arguments):
        return json.loads(self.text("--json", *arguments))

    def write(self, name, samples, known, period=1, build_id=BUILD_ID):
        make_profiles.write(self.directory.name, name,
                            make_profiles.Writer(build_id, 0x9000).profile(samples, known, period))

    def assert_whole(self, ledger, sites):
        """Kinds are their lines and sites, and all of them with the drift are RSS."""
        self.assertEqual(ledger["sum_bytes"] + ledger["drift_bytes"], ledger["rss_bytes"])
        self.assertEqual(sum(ledger["kinds"].values()), ledger["sum_bytes"])
        for kind, total in ledger["kinds"].items():
            lines = sum(line["bytes"] for line in ledger["lines"] if line["kind"] == kind)
            held = sum(site["bytes"].get(kind, 0) for site in sites)
            self.assertEqual(lines + held, total, kind)

    def test_it_adds_up_to_the_byte(self):
        for name, drift in (("ledger.prof", 8192), ("ledger_old.prof", 0), ("ledger_sampled.prof", 0)):
            report = self.json(name)
            ledger = report["profile"]["ledger"]
            self.assert_whole(ledger, report["ledger_sites"])
            self.assertEqual(ledger["drift_bytes"], drift)

    def test_a_change_adds_up_to_the_byte(self):
        report = self.json("--base", "ledger_old.prof", "ledger.prof")
        change, old, new = report["ledger_change"], report["base"]["ledger"], report["profile"]["ledger"]
        self.assert_whole(change, report["ledger_sites"])
        for key in ("rss_bytes", "sum_bytes", "drift_bytes"):
            self.assertEqual(change[key], new[key] - old[key], key)
        back = self.json("--base", "ledger.prof", "ledger_old.prof")["ledger_change"]
        self.assertEqual({kind: -total for kind, total in back["kinds"].items()}, change["kinds"])

    def test_random_ledgers_add_up(self):
        numbers = random.Random(4)
        names = list(make_profiles.LEDGER_FRAMES)
        stacks = make_profiles.HEADERS, make_profiles.CACHE
        for _ in range(20):
            sides = []
            for name in ("one.prof", "two.prof"):
                lines = [(numbers.choice((
                    "%s" % numbers.choice(names[3:11]),
                    "%s %s" % (numbers.choice(names[11:]), numbers.choice(("@files", "@stacks"))),
                    "%s %s" % (numbers.choice(names[:3]), numbers.choice(stacks)),
                    "%s @idle" % numbers.choice((*stacks, "log_line main")))),
                          numbers.randrange(1, 1 << numbers.randrange(1, 40))) for _ in range(30)]
                drift = numbers.randrange(-9999, 9999)
                self.write(name, *make_profiles.ledger(make_profiles.LEDGER_NEW, lines, 60, drift))
                report = self.json(name)
                self.assert_whole(report["profile"]["ledger"], report["ledger_sites"])
                self.assertEqual(report["profile"]["ledger"]["drift_bytes"], drift)
                sides.append(report)
            both = self.json("--base", "one.prof", "two.prof")
            self.assert_whole(both["ledger_change"], both["ledger_sites"])
            self.text("--base", "one.prof", "two.prof")

    def test_the_table_ends_in_rss(self):
        text = self.text("ledger.prof")
        rss = self.json("ledger.prof")["profile"]["ledger"]["rss_bytes"]
        self.assertRegex(text, r"\n  RSS +189\.4 MiB  100\.00%%  %s bytes, by the kernel\n" % f"{rss:,}")
        self.assertLess(text.index("RSS 189.4 MiB: 1.6 MiB live"), text.index("\n  pinned  "))

    def test_processes_match_by_frame(self):
        """Of another process no address is the same, nor is anything of one that has no file."""
        samples, known = make_profiles.ledger(make_profiles.LEDGER_NEW, make_profiles.LEDGER_NEW_LINES, 660)
        self.write("other.prof", samples, {**known, "pid": 99})
        for name, build_id in (("other.prof", BUILD_ID), ("rebuilt.prof", "0b" * 20)):
            self.write(name, samples, {**known, "pid": 99}, build_id=build_id)
            change = self.json("--base", "ledger.prof", name)
            self.assertEqual(set(change["ledger_change"]["kinds"].values()), {0}, name)
            self.assertEqual([site for site in change["ledger_sites"] if any(site["bytes"].values())], [])
            change = self.json("--base", "ledger_old.prof", name)
            self.assert_whole(change["ledger_change"], change["ledger_sites"])

    def test_all_else_is_as_without(self):
        """Samples of the ledger have no part in what a report counts by other types."""
        self.write("plain.prof", *make_profiles.ledger(make_profiles.LEDGER_NEW, [], 660))
        for arguments in (["-top"], ["-tree"], ["-traces"], ["-alloc-objects", "-top"]):
            tail = [self.text(*arguments, name).split("mmap   ", 1)[1]
                    for name in ("plain.prof", "ledger.prof")]
            self.assertEqual(*tail, arguments)
        self.assertEqual(*[self.text("export", "--format", "collapsed", name)
                           for name in ("plain.prof", "ledger.prof")])
        self.assertEqual(*[self.speedscope(name) for name in ("plain.prof", "ledger.prof")])
        rows = [self.json(name)["rows"] for name in ("plain.prof", "ledger.prof")]
        self.assertEqual(*rows)

    def speedscope(self, name):
        """Weights by stacks, as names."""
        file = json.loads(self.text("export", "--format", "speedscope", name))
        frames = [frame["name"] for frame in file["shared"]["frames"]]
        profile = file["profiles"][0]
        stacks = [[frames[index] for index in stack] for stack in profile["samples"]]
        return list(zip(stacks, profile["weights"]))

    def test_exports(self):
        lines = self.text("export", "--format", "collapsed", "--sample-index", "resident_space",
                          "ledger.prof").splitlines()
        ledger = self.json("ledger.prof")["profile"]["ledger"]
        self.assertEqual(sum(int(line.rsplit(" ", 1)[1]) for line in lines), ledger["sum_bytes"])
        self.text("export", "--format", "pprof-go", "-o", "go.prof", "ledger.prof")
        self.text("export", "--format", "pprof", "-o", "same.prof", "ledger.prof")
        with gzip.open(os.path.join(self.directory.name, "go.prof")) as file:
            self.assertNotIn(b"[pinned]", file.read().split(b"heapdiff.")[0])
        go = self.json("go.prof")
        self.assertNotIn("ledger", go["profile"])
        self.assertEqual({site["kind"] for site in go["sites"]}, {"malloc", "mmap"})
        self.assertEqual(self.json("same.prof")["profile"]["ledger"], ledger)

    def test_what_has_no_ledger_says_so(self):
        shutil.copy(os.path.join(HERE, "go_new.pb.gz"), self.directory.name)
        shutil.copy(os.path.join(HERE, "go_old.pb.gz"), self.directory.name)
        self.assertIn("no ledger of RSS: old has none (it was recorded without one)\n",
                      self.text("--base", "old.prof", "ledger.prof"))
        self.assertIn("no ledger of RSS: new has none (it was recorded without one)\n",
                      self.text("--base", "ledger.prof", "new.prof"))
        for foreign in (["go_new.pb.gz"], ["--base", "go_old.pb.gz", "go_new.pb.gz"], ["new.prof"]):
            self.assertNotIn("ledger", self.text(*foreign))
        self.text("export", "--format", "pprof", "--base", "ledger_old.prof", "-o", "diff.prof", "ledger.prof")
        self.assertIn("no ledger of RSS: its lines do not add up", self.text("diff.prof"))
        self.assertNotIn("ledger", self.json("diff.prof")["profile"])

    def test_one_that_is_foreign_says_so(self):
        samples = [("copy_header|parse_request serve start_thread", "malloc", 1, 100)]
        self.write("foreign.prof", samples, {"snapshot_time_ns": 1})
        self.assertIn("no ledger of RSS: old has none", self.text("--base", "foreign.prof", "ledger.prof"))

    def test_views_of_resident_space(self):
        focus = self.json("--resident-space", "--focus", r"\[pinned\]", "ledger.prof")
        self.assertEqual([row["function"] for row in focus["rows"]], ["[pinned]"])
        self.assertEqual(focus["total"], focus["profile"]["ledger"]["kinds"]["pinned"])
        without = self.json("--resident-space", "--ignore", r"\[", "ledger.prof")
        kinds = without["profile"]["ledger"]["kinds"]
        self.assertEqual(without["total"], kinds["live"] + kinds["mapped"])
        self.assertIn("[file: /var/lib/service/index.db]", self.text("-tree", "-resident_space", "ledger.prof"))

    @unittest.skipUnless(shutil.which("go"), "there is no go")
    def test_pprof_has_the_same_sum(self):
        ledger = self.json("ledger.prof")["profile"]["ledger"]
        done = subprocess.run(
            ["go", "tool", "pprof", "-symbolize=none", "-top", "-unit=B", "-sample_index=resident_space",
             os.path.join(self.directory.name, "ledger.prof")], capture_output=True, text=True,
            check=True, timeout=60, env={**os.environ, "HOME": self.directory.name})
        self.assertIn("of %dB total" % ledger["sum_bytes"], done.stdout)
        self.assertRegex(done.stdout, r"%dB +\S+ +\S+ +\S+ +\S+ +\[pinned\]" % ledger["kinds"]["pinned"])

    def test_a_damaged_one_never_crashes(self):
        numbers = random.Random(7)
        with gzip.open(os.path.join(self.directory.name, "ledger.prof")) as file:
            whole = file.read()
        for _ in range(MUTATIONS):
            data = bytearray(whole)
            for _ in range(numbers.randrange(1, 6)):
                data[numbers.randrange(len(data))] = numbers.choice((0, 1, 0x7f, 0x80, 0xff, 0x12))
            with open(os.path.join(self.directory.name, "bad.prof"), "wb") as file:
                file.write(data)
            done = run("--base", "ledger_old.prof", "bad.prof", directory=self.directory.name)
            self.assertIn(done.returncode, (0, 1), done.stderr)


if __name__ == "__main__":
    if not os.path.exists(COMMAND):
        sys.exit(77)
    unittest.main(verbosity=2)
