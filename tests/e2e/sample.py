"""Sampling: estimates of sample.c's known amounts, over 20 seeds, and what reports make of them."""

import concurrent.futures
import json
import math
import os
import shutil
import subprocess
import unittest

import harness
from prof import Profile

TYPES = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")
SEEDS = range(1000, 21000, 1000)
TOLERANCE = 0.01
DEVIATIONS = 4  # of a mean: one good run of 16,000 fails

# What sample.c asks for, site by site: (size of an object, how many at all, how many are kept).
FULL = {
    "site_string": (48, 11200000, 700000),
    "site_record": (1000, 600000, 40000),
    "site_page": (4096, 132000, 8400),
    "site_buffer": (300 << 10, 2000, 200),
    "site_image": (2 << 20, 100, 10),
    "site_first": (100, 100000, 0),
    "site_second": (3000, 100000, 0),
    "site_third": (20000, 100000, 0),
    "site_last": (500, 100000, 5000),
    "site_gift": (256, 2160000, 140000),
}
CHAINED = ("site_first", "site_second", "site_third", "site_last")
# The same of `sample few`.
FEW = {name: (size, min(count, 2 * (5000 if name in CHAINED else kept)), kept)
       for name, (size, count, kept) in FULL.items()}
NOTHING = [0, 0, 0, 0]
MAPPED = [5, 5 << 16, 3, 3 << 16]  # site_mapping: exact, always


def truth_of(site):
    size, count, live = site
    return [count, size * count, live, size * live]


def deviations_of(site, period):
    """Standard deviations of one run's estimates of a site, by sample type."""
    size, count, live = site
    odds = 1 / math.expm1(size / period) if size < 100 * period else 0  # (1 - p) / p of an object
    return [math.sqrt(objects * odds) * each
            for objects, each in ((count, 1), (count, size), (live, 1), (live, size))]


def sites_of(profile):
    """{function: values by TYPES} of sample.c's sites."""
    sums = {}
    for sample in profile.samples:
        for name in {name for _, name in profile.frames(sample) if name and name.startswith("site_")}:
            values = [sample.values[key] for key in TYPES]
            sums[name] = [a + b for a, b in zip(sums.get(name, NOTHING), values)]
    return sums


class Case(harness.Case):
    def run_sample(self, arguments, period, seed, name="run.prof"):
        """Runs it to its end: (exit status, the path its profile was to have)."""
        path = self.path(name)
        done = self.run_program([harness.helper("sample"), *arguments],
                                "sample=%d,seed=%d,out=%s" % (period, seed, path))
        self.assertEqual(done[1:3], ("", ""))
        return done, path

    def run_seeds(self, arguments, period, seeds=SEEDS):
        """Paths of the profiles of a run with each seed, two at a time."""
        def one(seed):
            done, path = self.run_sample(arguments, period, seed, "%d.prof" % seed)
            self.assertEqual(done[0], 0)
            return path
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(one, seeds))

    def sites(self, path):
        profile = Profile(path).check()
        self.assertEqual(profile.lost(), {})
        return sites_of(profile)

    def close(self, got, want, deviation, what):
        self.assertLessEqual(abs(got - want), DEVIATIONS * deviation + 0.5,
                             "%s: want %s, got %s" % (what, want, got))


class Estimates(Case):
    def unbiased(self, paths, truth, period, sharp):
        """The mean of all estimates is within 1 % of the truth, or, where so few objects cannot give
        that, within four of its standard deviations. The amounts of the `sharp` types can give it.
        """
        runs = [self.sites(path) for path in paths]
        self.assertGreater(len({json.dumps(run) for run in runs}), len(runs) // 2, "seeds choose nothing")
        totals, wanted = [0.0] * len(TYPES), [0] * len(TYPES)
        for name, site in truth.items():
            for i, (want, deviation) in enumerate(zip(truth_of(site), deviations_of(site, period))):
                mean = sum(run.get(name, NOTHING)[i] for run in runs) / len(runs)
                totals[i] += mean
                wanted[i] += want
                slack = DEVIATIONS * deviation / math.sqrt(len(runs))
                self.assertLessEqual(abs(mean - want), max(slack, TOLERANCE * want),
                                     "%s %s: want %s, got %s" % (name, TYPES[i], want, mean))
                if TYPES[i] in sharp and name not in CHAINED:
                    self.assertLessEqual(slack, TOLERANCE * want, "too few: %s %s" % (name, TYPES[i]))
        for i, name in enumerate(TYPES):
            self.assertLessEqual(abs(totals[i] / wanted[i] - 1), TOLERANCE, name)
        for run in runs:
            self.assertEqual(run["site_mapping"], MAPPED)

    def figures(self, paths, truth):
        """(sample type, its value, its interval, the truth) of every site of the reports of `paths`."""
        for path in paths:
            report = json.loads(self.heapdiff("--json", path))
            for site in report["sites"]:
                names = {report["frames"][at]["function"] for at in site["stack"]} & set(truth)
                intervals = site.get("intervals", {}) if names else {}
                for name, interval in intervals.items():
                    if name not in TYPES:
                        continue
                    want = truth_of(truth[min(names)])[TYPES.index(name)]
                    yield name, site["values"][name], interval, want

    def covered(self, paths, truth):
        """The truth lies within the printed interval 95 times of 100, but for chance."""
        inside = {name: [] for name in TYPES}
        for name, value, interval, want in self.figures(paths, truth):
            if interval > 2:  # else every object is a sample
                inside[name].append(abs(value - want) <= interval)
        for name, cases in inside.items():
            self.assertGreaterEqual(len(cases), 5 * len(paths), name)
            share = sum(cases) / len(cases)
            slack = DEVIATIONS * math.sqrt(0.05 * 0.95 / len(cases))
            self.assertGreaterEqual(share, 0.95 - slack, name)
        self.assertFalse(all(map(all, inside.values())), "intervals that never miss are too wide")

    def test_what_came(self):
        paths = self.run_seeds([], 64 << 10)
        self.unbiased(paths, FULL, 64 << 10, ("alloc_objects", "alloc_space"))
        self.covered(paths, FULL)

    def test_what_is_live(self):
        paths = self.run_seeds(["few"], 4 << 10)
        self.unbiased(paths, FEW, 4 << 10, ("inuse_objects", "inuse_space"))
        self.covered(paths, FEW)

    def test_what_is_freed_is_gone(self):
        for path in self.run_seeds(["few", "nothing"], 16 << 10, SEEDS[:5]):
            sites = self.sites(path)
            self.assertEqual(set(sites), set(FEW) | {"site_mapping"})
            for name in FEW:
                self.assertEqual(sites[name][2:], [0, 0], name)
                self.assertGreater(sites[name][0], 0)


class Mixed(Case):
    SEEDS = 200
    SIZES = ((8, 40000), (24, 20000), (90, 9000), (200, 1000), (700, 3000), (1300, 800), (5000, 400),
             (20000, 100), (500000, 5))

    def truth(self):
        live = [(size, count - (count + 2) // 3) for size, count in self.SIZES]
        return [sum(count * (size if space else 1) for size, count in kind)
                for kind in (self.SIZES, live) for space in (False, True)]

    def test_sizes_of_one_site_that_differ(self):
        """The intervals have the truth 93 times of 100 or more, those of each type but for chance."""
        arguments = ["mixed", *(str(number) for pair in self.SIZES for number in pair)]
        inside = dict.fromkeys(TYPES, 0)
        for path in self.run_seeds(arguments, 4 << 10, range(1, 7919 * self.SEEDS, 7919)):
            sites = [site for site in json.loads(self.heapdiff("--json", path))["sites"]
                     if site["values"]["alloc_objects"] > 1000]
            self.assertEqual(len(sites), 1, "one stack, one site, whatever the sizes")
            for name, want in zip(TYPES, self.truth()):
                off = abs(sites[0]["values"][name] - want)
                inside[name] += off <= sites[0]["intervals"][name]
        for name, count in inside.items():
            slack = DEVIATIONS * math.sqrt(0.05 * 0.95 / self.SEEDS)
            self.assertGreaterEqual(count / self.SEEDS, 0.95 - slack, name)
            self.assertLess(count, self.SEEDS, "too wide: " + name)
        self.assertGreaterEqual(sum(inside.values()) / len(inside) / self.SEEDS, 0.93, inside)


class Processes(Case):
    period = 4 << 10
    seed = 7000

    def test_killed(self):
        """What recover makes of a box is what the process would have written: the same samples."""
        done, path = self.run_sample(["few"], self.period, self.seed)
        want = self.sites(path)
        done, _ = self.run_sample(["few", "kill"], self.period, self.seed, "none.prof")
        self.assertEqual(done[0], -9)
        self.heapdiff("recover", str(done[3]), "-o", self.path("recovered.prof"))
        got = self.sites(self.path("recovered.prof"))
        for sites in (want, got):
            del sites["site_gift"]  # its threads draw their seeds as they come
        self.assertEqual(got, want)

    def test_forked(self):
        """A child keeps what was sampled before, and goes on sampling."""
        options = "sample=%d,seed=%d" % (self.period, self.seed)
        done = self.run_program([harness.helper("sample"), "few", "fork"], options)
        self.assertEqual(done[:3], (0, "", ""))
        mine = self.profiles("sample.%d.*.prof" % done[3])
        children = [path for path in self.profiles() if path not in mine]
        self.assertEqual((len(mine), len(children)), (1, 1))
        parent, child = self.sites(mine[0]), self.sites(children[0])
        self.assertNotIn("site_child", parent)
        for name in FEW:
            if name != "site_string":
                self.assertEqual(child.get(name, NOTHING)[2:], parent[name][2:], name)
        self.assertEqual(child["site_mapping"][2:], MAPPED[2:])
        for name, site in (("site_string", (48, 0, 350000)), ("site_child", (4096, 8400, 8400))):
            for i in (2, 3):
                self.close(child[name][i], truth_of(site)[i], deviations_of(site, self.period)[i],
                           "%s %s" % (name, TYPES[i]))


class Reports(Case):
    def two(self):
        """Two snapshots of one process: with its strings, and with all."""
        done = self.run_program([harness.helper("sample"), "few", "snapshot"], "sample=4k,seed=3000")
        self.assertEqual(done[:3], (0, "", ""))
        paths = self.profiles()
        self.assertEqual(len(paths), 2)
        return paths

    def rows(self, *arguments):
        report = json.loads(self.heapdiff("--json", *arguments))
        return report, {row["function"]: row for row in report["rows"]}

    def test_text(self):
        text = self.heapdiff(self.two()[1])
        self.assertIn("sampled every 4.0 KiB: estimates, +- is their 95 % interval",
                      text.replace(" 4 KiB", " 4.0 KiB"))
        self.assertRegex(text, r"inuse_space: [0-9.]+ MiB \+- [0-9.]+ MiB")
        self.assertRegex(text, r"size +\+- +% +resident +objects +kind +asked by")

    def test_difference(self):
        """What was there before and after is no change at all; what came is one of some interval."""
        old, new = self.two()
        report, rows = self.rows("--base", old, new)
        self.assertEqual(rows.get("site_string", {"flat": 0})["flat"], 0)
        for name in ("site_page", "site_record"):
            want = truth_of(FEW[name])[3]
            self.assertGreater(rows[name]["flat_interval"], 0)
            self.assertLessEqual(abs(rows[name]["flat"] - want), 3 * rows[name]["flat_interval"])
        self.assertGreater(report["total_interval"], 0)
        self.assertIn("+-", self.heapdiff("--base", old, new))

    @unittest.skipUnless(shutil.which("go"), "go is not installed")
    def test_pprof(self):
        done = self.run_program(["go", "tool", "pprof", "-top", "-sample_index=inuse_space", self.two()[1]],
                                preload=False, more={"PPROF_TMPDIR": self.directory})
        self.assertEqual(done[0], 0, done[2])
        self.assertIn("site_buffer", done[1])


class Programs(Case):
    def same(self, command, text=""):
        """Sampled and plain runs say the same; the profile is one."""
        def run(preload):
            return subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, cwd=self.directory, timeout=harness.LIMIT_SECONDS,
                                  env=harness.environment("sample=512k", preload))
        sampled, plain = run(True), run(False)
        self.assertEqual((sampled.returncode, sampled.stdout, sampled.stderr),
                         (plain.returncode, plain.stdout, plain.stderr))
        for path in self.profiles():
            profile = Profile(path).check()
            self.assertEqual(profile.lost(), {})
            self.assertGreater(profile.total("malloc", "alloc_space"), 10 << 20, os.path.basename(path))

    @unittest.skipUnless(os.path.exists("/usr/bin/python3"), "python3 is not installed")
    def test_python(self):
        self.same(["/usr/bin/python3", "-c", "import json\n"
                   "data = [{'key%d' % i: [str(j) * 9 for j in range(20)]} for i in range(20000)]\n"
                   "print(hash(len(json.dumps(data))), sum(map(len, data)))"])

    @unittest.skipUnless(shutil.which("sqlite3"), "sqlite3 is not installed")
    def test_sqlite(self):
        self.same(["sqlite3", ":memory:"], "create table t(a, b); with recursive n(i) as (select 1 union "
                  "all select i + 1 from n where i < 200000) insert into t select i, hex(i * 7919) from n;"
                  "create index i on t(b); select count(*), sum(a), min(b) from t where b > '3';")


if __name__ == "__main__":
    harness.main()
