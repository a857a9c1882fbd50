"""Marks: what sites were at them, how old blocks are, the history; programs whose every figure is known."""

import os
import re

import harness
from prof import Profile
from runtime import suspects

LEAK_BYTES = 100 * 2000
LEAK_CXX_BYTES = 104 * 2000  # aligned


class Marks(harness.Case):
    def run_case(self, name, options="final=on"):
        done = self.run_program([harness.helper("marks"), name], options)
        self.assertEqual(done[0], 0, done)
        self.output, self.errors, self.pid = done[1:]

    def load(self, name=None):
        return Profile(self.path(name) if name else self.profiles("marks.%d.*.prof" % self.pid)[-1]).check()

    def site(self, profile, function, kind="malloc"):
        """Sums of a function's samples: values, ages, history, peak."""
        values, ages, history, peak = {}, {}, [], 0
        for ordinal, sample in enumerate(profile.samples):
            if sample.kind != kind or function not in [name for _, name in profile.frames(sample)]:
                continue
            values = {key: values.get(key, 0) + value for key, value in sample.values.items()}
            more_ages, more_history, more_peak = profile.site_fact(ordinal)
            ages = {age: ages.get(age, 0) + more_ages.get(age, 0) for age in {*ages, *more_ages}}
            history = [a + b for a, b in zip(history or [0] * 8, more_history)] or history
            peak += more_peak
        return values, ages, history, peak

    def history(self, profile):
        """{number: {key: text}} of the collections in a profile."""
        found = {}
        for key, text in profile.facts.items():
            if key.startswith("collection."):
                words, _, reason = text.partition(" reason=")
                found[int(key[11:])] = dict(word.split("=") for word in words.split())
                found[int(key[11:])]["reason"] = reason
        return found

    def test_leak_beside_plateau_and_sawtooth(self):
        self.run_case("leak")
        profile = self.load()
        self.assertEqual(profile.facts["collections"], "10")
        values, ages, history, peak = self.site(profile, "leak_site")
        self.assertEqual(ages, {1: LEAK_BYTES, 2: LEAK_BYTES, 3: LEAK_BYTES, 4: LEAK_BYTES, 5: LEAK_BYTES,
                                6: LEAK_BYTES, 7: LEAK_BYTES, 8: 3 * LEAK_BYTES})
        self.assertEqual(history, [LEAK_BYTES * i for i in range(3, 11)])
        self.assertEqual(peak, 10 * LEAK_BYTES)
        self.assertEqual((values["survived_space"], values["since_space"]), (10 * LEAK_BYTES, 0))
        values, ages, history, peak = self.site(profile, "plateau_site")
        self.assertEqual((ages, history), ({1: 30000, 8: 270000}, [300000] * 8))
        values, ages, history, peak = self.site(profile, "sawtooth_site")
        self.assertEqual((ages, peak), ({1: 50000, 2: 50000}, 100000))
        self.assertEqual(history, [150000, 0, 50000, 100000] * 2)

    def test_leak_in_cxx(self):
        done = self.run_program([harness.helper("marks_cxx")], "final=on")
        self.assertEqual(done[0], 0, done)
        path = self.profiles("marks_cxx.%d.*.prof" % done[3])[-1]
        profile = Profile(path).check()
        names = {name or "" for sample in profile.samples for _, name in profile.frames(sample)}
        name = next(name for name in names if "leak_site" in name)
        self.assertEqual(suspects(self.heapdiff(path)), ["(anonymous namespace)::leak_site"])
        self.assertEqual(self.site(profile, name)[2], [LEAK_CXX_BYTES * i for i in range(3, 11)])

    def test_reports(self):
        self.run_case("leak")
        path = self.profiles("marks.%d.*.prof" % self.pid)[-1]
        report = self.heapdiff(path)
        self.assertRegex(report, r"last mark .*number 10 \(api: round\); exact\n")
        self.assertIn("as of the mark: nothing was proved unreachable", report)
        self.assertNotIn("survived the", report)
        self.assertEqual(suspects(report), ["leak_site"])
        history = self.heapdiff("collections", path)
        self.assertEqual(len(re.findall(r"^ +\d+ +@\d+\.\d{3}s  api .* \?? ?-> .* -> ", history, re.MULTILINE)), 10)
        self.assertIn("1 site grew from mark to mark", history)
        self.assertIn("stale_space: 0", self.heapdiff("--collected", path))
        done = self.run_program([harness.helper("api"), self.path("asked.prof")])
        self.assertEqual(done[0], 0)
        self.assertIn("no collection had been marked",
                      self.heapdiff("collections", self.path("asked.prof"), status=1))

    def test_eight_threads(self):
        self.run_case("threads")
        paths = self.profiles("busy.*.prof")
        self.assertEqual(len(paths), 10)
        for path in paths + [self.path("still.prof")]:
            profile = Profile(path).check()
            self.assertNotIn("unclean_cuts", profile.facts)
            self.assertEqual(profile.facts["ages"], "1")
        profile = self.load()
        self.assertEqual(profile.facts["collections"], "401")
        values = self.site(profile, "thread_site")[0]
        still = self.site(self.load("still.prof"), "thread_site")[0]
        self.assertEqual(values["collected_space"], still["inuse_space"])
        self.assertEqual((values["inuse_space"], values["since_space"]), (0, 0))
        self.assertEqual(profile.lost(), {})

    def test_fork_between_marks(self):
        self.run_case("fork")
        # The fork is a mark to the child: 2500 blocks, of which 2000 have lived through one more.
        values, ages, history, _ = self.site(self.load("child.prof"), "leak_site")
        self.assertEqual(values["collected_objects"], 2500)
        self.assertEqual((values["since_objects"], values["inuse_objects"]), (100, 2300))
        self.assertEqual(ages, {0: 10000, 1: 50000, 2: 170000})
        child = self.history(self.load("child-later.prof"))
        self.assertEqual([child[i]["source"] for i in sorted(child)], ["api", "fork", "api"])
        self.assertEqual(self.site(self.load("child-later.prof"), "leak_site")[1],
                         {1: 10000, 2: 50000, 3: 170000})
        parent = self.load()
        values, ages, _, _ = self.site(parent, "leak_site")
        self.assertEqual((values["collected_objects"], values["since_objects"]), (2000, 700))
        self.assertEqual(ages, {0: 70000, 1: 200000})
        self.assertEqual(len(self.history(parent)), 1)

    def test_mark_in_a_handler(self):
        self.run_case("handler")
        handled, deferred = map(int, self.output.split())
        self.assertGreater(handled, 100)
        marks = int(self.load().facts["collections"])
        self.assertGreaterEqual(marks, handled)
        self.assertLessEqual(marks, handled + deferred)
        if deferred:
            self.assertGreater(marks, handled, "those that came inside were done later")

    def test_realloc_is_born_again(self):
        self.run_case("realloc")
        values, ages, _, _ = self.site(self.load("grown.prof"), "grow_site")
        self.assertEqual(values["collected_space"], 1700)
        self.assertEqual((values["since_space"], values["survived_space"]), (3000, 700))
        self.assertEqual(ages, {0: 3000, 1: 700})

    def test_ages_do_not_come_round(self):
        self.run_case("ages")
        for epoch in (1, 7, 8, 14, 15, 16, 22, 23, 40):
            profile = self.load("age.%d.prof" % epoch)
            for function, kind, each in (("age_site", "malloc", 40 + 3000 + (100 << 20)),
                                         ("map_site", "mmap", 1 << 16)):
                expected = {age: each for age in range(min(epoch, 7) + 1)}
                if epoch >= 8:
                    expected[8] = each * (epoch - 7)
                ages = self.site(profile, function, kind)[1]
                self.assertEqual(ages, expected, "%s at %d" % (function, epoch))

    def test_growth_by_mremap_is_new(self):
        self.run_case("remap")
        values, ages, _, _ = self.site(self.load("remap.prof"), "map_site", "mmap")
        self.assertEqual(ages, {0: 2 << 20, 1: (1 << 20) - (1 << 16)})
        self.assertEqual(values["since_space"], 2 << 20)

    def test_ring(self):
        self.run_case("ring")
        history = self.history(self.load())
        self.assertEqual(sorted(history), list(range(37, 101)))
        for number, entry in history.items():
            self.assertEqual((entry["source"], entry["kind"], entry["truth"]), ("api", "full", "exact"))
            self.assertEqual(entry["mark"], str(number))
            self.assertTrue(entry["reason"].startswith("mark %d, and much" % number))
            self.assertLess(len(entry["reason"]), 40)
            self.assertNotIn("goal", entry)
            self.assertNotIn("pause_ns", entry)
        times = [int(history[number]["time_ns"]) for number in sorted(history)]
        self.assertEqual(times, sorted(times))

    def test_trim(self):
        self.run_case("trim", "trace=trace.%p")
        entry = self.history(self.load())[1]
        self.assertEqual((entry["source"], entry["kind"]), ("malloc_trim", "full"))
        self.assertGreater(int(entry["rss_before"]), int(entry["rss"]) + (10 << 20))
        self.assertGreater(int(entry["pause_ns"]), 0)
        trace = [name for name in os.listdir(self.directory) if name.startswith("trace.")]
        with open(self.path(trace[0])) as file:
            self.assertRegex(file.read(), r"^collection 1 @\d+\.\d{3}s malloc_trim: 0\.\d MB, "
                                          r"RSS [\d.]+ -> [\d.]+ MB, pause [\d.]+ ms\n$")

    def test_trace_that_cannot_be_told(self):
        """One line says so; the program goes on, and is neither kept waiting nor killed."""
        os.mkfifo(self.path("nobody"))
        for path, why in (("/nonexistent/x", "cannot be written"), ("/dev/full", "cannot be written"),
                          (self.directory, "cannot be written"), (self.path("nobody"), "nobody reads it")):
            self.run_case("leak", "final=off,trace=" + path)
            self.assertRegex(self.errors, r"\Aheapdiff: trace: collections are not told: %s: .*%s.*\n\Z" % (path, why))
        self.run_case("leak", "final=off,trace=1")
        self.assertEqual(self.errors.count("heapdiff: collection "), 10)
        done = self.run_program(["sh", "-c", '"$0" leak 2>&-', harness.helper("marks")], "final=off,trace=1")
        self.assertEqual(done[:3], (0, "", ""))

    def test_trace_into_a_fifo(self):
        """Its reader goes away, or does not read: nobody is killed by SIGPIPE."""
        os.mkfifo(self.path("fifo"))
        reader = os.open(self.path("fifo"), os.O_RDONLY | os.O_NONBLOCK)
        self.run_case("leak", "final=off,trace=" + self.path("fifo"))
        self.assertEqual((os.read(reader, 1 << 16).count(b"\n"), self.errors), (10, ""))
        for _ in range(200):  # 64 KiB and more of lines
            self.run_case("ring", "final=off,trace=" + self.path("fifo"))
            if self.errors:
                break
        self.assertIn("too slow", self.errors)
        os.close(reader)

    def test_trace_of_a_family(self):
        self.run_case("fork", "final=off,trace=%s" % self.path("told.%p"))
        lines = []
        for path in sorted(os.listdir(self.directory)):
            if path.startswith("told."):
                with open(self.path(path)) as file:
                    lines.append(re.sub(r" @.*", "", file.read()))
        self.assertEqual(sorted(lines), ["collection 1\n", "collection 3\n"])

    def test_signal(self):
        for options, marks in (("", 2), ("collect_signal=USR2", 4), ("collect_signal=12,trace=1", 4)):
            self.run_case("signal", options)
            self.assertEqual(self.output, "11 1\n")
            profile = self.load()
            self.assertEqual(profile.facts["collections"], str(marks), options)
            self.assertEqual({entry["source"] for entry in self.history(profile).values()}, {"signal"})
            lines = re.findall(r"^heapdiff: collection \d @", self.errors, re.MULTILINE)
            self.assertEqual(len(lines), marks if "trace" in options else 0)
            os.unlink(profile.path)
        done = self.run_program([harness.helper("marks"), "signal"], "collect_signal=none")
        self.assertEqual(done[0], -12)


if __name__ == "__main__":
    harness.main()
