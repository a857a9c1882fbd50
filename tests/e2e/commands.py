"""The command line on real processes and on files that are no profiles."""

import gzip
import os
import re
import subprocess

import harness
from prof import Profile


class Run(harness.Case):
    def run_command(self, *arguments):
        return self.run_program([harness.COMMAND, "run", *arguments], preload=False)

    def test_status_and_output(self):
        for script, status in (("echo out; echo err >&2; exit 7", 7), ("kill -TERM $$", 143),
                               ("exit 0", 0)):
            done = self.run_command("--", "dash", "-c", script)
            self.assertIn(done[0], (status, 128 - status), done)
            self.assertEqual(done[1], "out\n" if status == 7 else "")

    def test_profiles_carry_symbols(self):
        self.run_command("--", harness.helper("truth"), self.path("table"))
        profile, = [Profile(path) for path in self.profiles("truth.*.prof")]
        self.assertIn("malloc_plain", profile.texts)
        self.assertTrue([text for text in profile.texts if text.endswith("truth_heap.c")])

    def test_killed_program_has_its_profile(self):
        done = self.run_command("--", harness.helper("truth"), self.path("table"), "kill")
        self.assertIn(done[0], (137, -9))
        profile, = [Profile(path) for path in self.profiles("truth.*.prof")]
        self.assertIn("malloc_plain", profile.texts)

    def test_options_reach_the_program(self):
        self.run_command("--allocator", "jemalloc", "--", harness.helper("storm"), "1")
        self.assertEqual(self.profile().facts["allocator"], "jemalloc")

    def test_no_such_command(self):
        done = self.run_command("--", "/nowhere/program")
        self.assertIn(done[0], (1, 127))
        self.assertRegex(done[2], r"\Aheapdiff: [^\n]+\n\Z")


class Files(harness.Case):
    def setUp(self):
        super().setUp()
        self.run_program([harness.helper("truth"), self.path("table")], "out=good.prof")

    def refused(self, path, *more):
        errors = self.heapdiff(*more, path, status=1)
        self.assertRegex(errors, r"\Aheapdiff: [^\n]+: [^\n]+\n\Z")
        self.assertIn(os.path.basename(path), errors)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def test_bad_files(self):
        with open(self.path("good.prof"), "rb") as file:
            good = file.read()
        self.refused(self.path("missing"))
        self.refused(self.write("empty", b""))
        self.refused(self.write("half", good[:len(good) // 2]))
        self.refused(self.write("text", b"hello world\n" * 100))
        self.refused(self.write("zipped-text", gzip.compress(b"hello world\n" * 100)))
        self.refused(self.write("hostile", b"\x12\xff\xff\xff\xff\x0f"))
        self.refused(self.write("tail", good + b"garbage behind"))
        self.refused(harness.helper("truth"))
        self.refused(self.directory)

    def test_base_is_checked_too(self):
        self.write("text", b"hello world\n")
        errors = self.heapdiff("--base", self.path("text"), self.path("good.prof"), status=1)
        self.assertRegex(errors, r"\Aheapdiff: [^\n]*text: [^\n]+\n\Z")

    def test_usage(self):
        for arguments in ((), ("--nonsense",), ("--top",), ("--top", "x", "good.prof"),
                          ("--focus", "([", "good.prof"), ("snap",), ("run",),
                          ("export", "--format", "nonsense", "good.prof"), ("a", "b", "c")):
            with self.subTest(arguments):
                self.heapdiff(*arguments, status=2)

    def test_report(self):
        report = self.heapdiff(self.path("good.prof"))
        self.assertNotIn("\x1b", report, "no colour in a pipe")
        self.assertIn("thread_giver", self.heapdiff("--top", "60", self.path("good.prof")))
        self.assertRegex(self.heapdiff("--lines", "--top", "60", self.path("good.prof")),
                         r"malloc_large.*truth_heap\.c:\d+")

    def test_usage_says_where_help_is(self):
        for arguments, command in ((("--nonsense",), "heapdiff"), (("--top=x", "p"), "heapdiff"),
                                   (("run", "--nonsense"), "heapdiff run"), (("snap",), "heapdiff snap"),
                                   (("recover", "-o"), "heapdiff recover"),
                                   (("export", "--format"), "heapdiff export")):
            with self.subTest(arguments):
                self.assertRegex(self.heapdiff(*arguments, status=2),
                                 r'\Aheapdiff: [^\n]+ \(try "%s --help"\)\n\Z' % command)

    def test_full_disk_is_told(self):
        for arguments in ((self.path("good.prof"),), ("--help",), ("--version",), ("recover", "--help"),
                          ("export", "--format", "collapsed", self.path("good.prof"))):
            with self.subTest(arguments), open("/dev/full", "w") as full:
                done = subprocess.run([harness.COMMAND, *arguments], stdout=full, text=True,
                                      stderr=subprocess.PIPE, env=harness.environment(preload=False))
                self.assertEqual((done.returncode, done.stderr),
                                 (1, "heapdiff: standard output: No space left on device\n"))

    def test_pprof_spellings(self):
        for arguments in (("-top",), ("-cum",), ("-inuse_space",), ("-alloc_objects",),
                          ("-sample_index=alloc_space",), ("-traces",), ("-tree",),
                          ("-focus=malloc_", "-ignore=plain"), ("-lines",), ("-functions",)):
            with self.subTest(arguments):
                self.heapdiff(*arguments, self.path("good.prof"))


class Processes(harness.Case):
    def refused(self, *arguments):
        errors = self.heapdiff(*arguments, status=1)
        self.assertRegex(errors, r"\Aheapdiff: [^\n]+: [^\n]+\n\Z")
        return errors

    def test_gone(self):
        child = self.start(["true"], preload=False)
        child.wait()
        self.refused("snap", str(child.pid))
        self.refused("recover", str(child.pid))

    def test_not_preloaded(self):
        child = self.start(["sleep", "9"], preload=False)
        self.assertIn("preload", self.refused("snap", str(child.pid)))
        self.assertIsNone(child.poll(), "the signal would have killed it")

    def test_static(self):
        source = self.path("static.c")
        with open(source, "w") as file:
            file.write("#include <unistd.h>\nint main(void) { return pause(); }\n")
        built = subprocess.run(["gcc", "-static", source, "-o", self.path("static")],
                               capture_output=True, check=False)
        if built.returncode:
            self.skipTest("no static libc")
        child = self.start([self.path("static")])
        self.assertIn("static", self.refused("snap", str(child.pid)))
        self.assertIsNone(child.poll())

    def test_snap_says_how(self):
        child = self.start([harness.helper("storm"), "60"])
        child.stdout.readline()
        for how in ("signal", "black box"):
            done = self.run_program([harness.COMMAND, "snap", str(child.pid), "-o", "s.prof"],
                                    preload=False)
            self.assertEqual(done[0], 0, done)
            self.assertIn(how, done[1] + done[2])
            Profile(self.path("s.prof")).check()
            child = self.start([harness.helper("storm"), "60"], "signal=none")
            child.stdout.readline()

    def test_snap_into_a_pipe(self):
        child = self.start([harness.helper("storm"), "60"])
        child.stdout.readline()
        os.mkfifo(self.path("pipe"))
        with open(self.path("taken.prof"), "wb") as taken:
            reader = subprocess.Popen(["cat", self.path("pipe")], stdout=taken)
            self.run_program([harness.COMMAND, "snap", str(child.pid), "-o", "pipe"], preload=False)
            reader.wait(timeout=harness.LIMIT_SECONDS)
        Profile(self.path("taken.prof")).check()

    def test_recover_lists(self):
        child = self.start([harness.helper("storm"), "60"])
        child.stdout.readline()
        listed = self.heapdiff("recover")
        line, = re.findall(r"^.*\b%d\b.*$" % child.pid, listed, re.M)
        self.assertIn("storm", line)
        self.assertIn("alive", line)
        child.kill()
        child.wait()
        line, = re.findall(r"^.*\b%d\b.*$" % child.pid, self.heapdiff("recover"), re.M)
        self.assertIn("dead", line)
        self.heapdiff("recover", str(child.pid))
        self.profile("storm.*.prof")


class Sweep(harness.Case):
    """Black boxes that killed processes leave. TMPDIR and the directory are the test's own."""

    def killed(self, name):
        os.symlink(harness.helper("storm"), self.path(name))
        child = self.start([self.path(name), "9"], "blackbox=" + self.directory)
        child.stdout.readline()
        child.kill()
        child.wait()
        return child.pid

    def sweep(self, *arguments, status=0):
        done = self.run_program([harness.COMMAND, "recover", *arguments], preload=False,
                                more={"TMPDIR": self.directory})
        self.assertEqual(done[0], status, done)
        return done[2]

    def here(self, ending):
        return sorted(name for name in os.listdir(self.directory) if name.endswith(ending))

    def test_delete(self):
        first, second = self.killed("one"), self.killed("two")
        self.assertEqual(len(self.here(".heapdiff")), 2)
        said = self.sweep("--delete", str(first))
        self.assertRegex(said, r"\Aheapdiff: \S+: deleted, \w+ \(pid %d\)\n\Z" % first)
        self.sweep("--delete", self.path(*self.here(".heapdiff")))
        self.assertEqual(self.here(".heapdiff") + self.here(".prof"), [])
        self.assertRegex(self.sweep("--delete", str(second), status=1), "no black box")

    def test_several(self):
        pids = [self.killed("one"), self.killed("two")]
        self.sweep(*map(str, pids))
        self.assertEqual(len(self.here(".prof")), 2)
        self.assertEqual(self.here(".heapdiff"), [])

    def test_what_runs_stays(self):
        child = self.start([harness.helper("storm"), "9"], "blackbox=" + self.directory)
        child.stdout.readline()
        self.assertRegex(self.sweep("--delete", str(child.pid), status=1), "still runs")
        self.assertEqual(len(self.here(".heapdiff")), 1)

    def test_other_files_stay(self):
        with open(self.path("letter.heapdiff"), "w") as file:
            file.write("dear reader")
        self.assertRegex(self.sweep("--delete", self.path("letter.heapdiff"), status=1), "not a black box")
        self.assertEqual(self.here(".heapdiff"), ["letter.heapdiff"])

    def alone(self, script):
        """Runs a script with a /dev/shm of its own: what others left there is none of its business."""
        own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-U", "-r", "--mount"]
        script = "mount -t tmpfs none /dev/shm || exit %d\n%s" % (harness.SKIP, script)
        done = self.run_program([*own, "sh", "-c", script], preload=False, more={
            "TMPDIR": self.directory, "PRELOAD": harness.PRELOAD, "HEAPDIFF_COMMAND": harness.COMMAND})
        if done[0] == harness.SKIP or "unshare" in done[2]:
            self.skipTest("no mount namespace")
        return done

    def test_all(self):
        kill = "LD_PRELOAD=$PRELOAD dash -c 'kill -9 $$' 2>/dev/null;"
        run = "LD_PRELOAD=$PRELOAD sleep 9 & running=$!; sleep 0.2; "
        end = "kill $running; echo left: $(ls /dev/shm)"
        done = self.alone(run + kill + kill + "$HEAPDIFF_COMMAND recover --all;" + end)
        self.assertEqual(len(re.findall(r": recovered dash \(pid \d+\) from \S+ \(deleted\)", done[2])),
                         2, done)
        self.assertRegex(done[1], r"left: sleep\.\d+\.heapdiff\n\Z", "what runs keeps its box")
        self.assertEqual(len(self.here(".prof")), 2)
        done = self.alone(kill + kill + "$HEAPDIFF_COMMAND recover --all --delete; ls /dev/shm")
        self.assertEqual(done[1], "")
        self.assertEqual(len(self.here(".prof")), 2)
        done = self.alone("$HEAPDIFF_COMMAND recover --all")
        self.assertRegex(done[2], r"\Aheapdiff: no black box of an ended process of yours")

    def test_list_says_how_to_sweep(self):
        done = self.alone("LD_PRELOAD=$PRELOAD dash -c 'kill -9 $$' 2>/dev/null; $HEAPDIFF_COMMAND recover")
        self.assertRegex(done[2], r"heapdiff: 1 black box of ended processes, .*recover --all")
        self.assertTrue(all(len(line) <= 100 for line in done[1].splitlines()), done[1])

    def test_usage(self):
        for arguments in (("--delete",), ("--all", "1"), ("--all", "-o", "x"), ("--delete", "--keep", "1"),
                          ("-o", "x", "1", "2"), ("-o", "x")):
            with self.subTest(arguments):
                self.sweep(*arguments, status=2)


if __name__ == "__main__":
    harness.main()
