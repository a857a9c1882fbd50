"""Go's pprof reads, subtracts and draws our profiles, and agrees with `heapdiff --base`."""

import json
import os
import shutil
import subprocess

import harness
from prof import Profile, TYPES

PROGRAM = """
import os, signal, sys, json, re
kept = []
def grow(count):
    for i in range(count):
        kept.append(json.loads('{"a": [1, 2, %d], "b": "%s"}' % (i, "x" * (500 + i % 500))))
grow(2000)
words = re.compile("(a|b)+c")
os.kill(os.getpid(), signal.SIGUSR1)
grow(8000)
del kept[:1500]
import decimal, sqlite3
os.kill(os.getpid(), signal.SIGUSR1)
"""


def go_pprof(*arguments):
    return subprocess.run(["go", "tool", "pprof", "-symbolize=none", *arguments], timeout=100,
                          env=harness.environment(preload=False), capture_output=True, check=True,
                          text=True).stdout


def sites(profile, name):
    """{(kind, stack as (file, offset or, of a ledger's frame, name)): value} of one sample type; nothing
    that is zero."""
    found = {}
    for sample in profile.samples:
        stack = []
        for location in sample.locations:
            one = profile.locations[location]
            mapping = profile.mappings[one[2]]
            place = one.get(3, 0) - mapping.get(2, 0) + mapping.get(4, 0)
            stack.append(profile.frame(location) if 3 not in one else (profile.file(mapping), place))
        key = (sample.kind, tuple(stack))
        found[key] = found.get(key, 0) + sample.values[name]
    return {key: value for key, value in found.items() if value}


def subtract(fresh, base):
    keys = set(fresh) | set(base)
    difference = {key: fresh.get(key, 0) - base.get(key, 0) for key in keys}
    return {key: value for key, value in difference.items() if value}


class Agreement(harness.Case):
    def setUp(self):
        super().setUp()
        python = "/usr/bin/python3"
        if not os.path.exists(python) or not shutil.which("go"):
            self.skipTest("no %s or go" % python)
        done = self.run_program([python, "-c", PROGRAM])
        self.assertEqual(done[:3], (0, "", ""))
        self.old, self.new = self.profiles("python3*.prof")[:2]

    def test_pprof_subtracts_as_we_do(self):
        old, new = Profile(self.old).check(), Profile(self.new).check()
        merged = self.path("merged.pb.gz")
        go_pprof("-proto", "-output=" + merged, "-base=" + self.old, self.new)
        merged = Profile(merged)
        for name in TYPES:
            want = subtract(sites(new, name), sites(old, name))
            self.assertEqual(sites(merged, name), want, name)
        self.assertGreater(len(want), 50)

    def test_top_has_the_totals(self):
        """The sum of -top's flat column is the growth of the report."""
        old, new = Profile(self.old), Profile(self.new)
        grown = sum(subtract(sites(new, "inuse_space"), sites(old, "inuse_space")).values())
        top = go_pprof("-top", "-nodecount=1000000", "-nodefraction=0", "-unit=B",
                       "-base=" + self.old, self.new)
        rows = top[top.index("flat%"):].splitlines()[1:]
        flat = sum(int(row.split()[0].rstrip("B")) for row in rows)
        self.assertEqual(flat, grown)

    def test_heapdiff_agrees_site_by_site(self):
        merged = self.path("merged.pb.gz")
        go_pprof("-proto", "-output=" + merged, "-base=" + self.old, self.new)
        want = sites(Profile(merged), "inuse_space")
        report = json.loads(self.heapdiff("--base", self.old, "--json", self.new))
        got = {}
        for site in report["sites"]:
            frames = [report["frames"][index] for index in site["stack"]]
            stack = tuple((frame["mapping"], frame["offset"] if frame["address"] else frame["function"])
                          for frame in frames)
            key = (site["kind"], stack)
            got[key] = got.get(key, 0) + site["values"]["inuse_space"]
        self.assertEqual({key: value for key, value in got.items() if value}, want)

    def test_pprof_draws(self):
        drawing = "-svg" if shutil.which("dot") else "-dot"
        out = go_pprof(drawing, "-base=" + self.old, self.new)
        self.assertIn("</svg>" if drawing == "-svg" else "digraph", out)


if __name__ == "__main__":
    harness.main()
