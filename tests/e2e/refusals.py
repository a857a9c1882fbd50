"""What heapdiff is given and cannot use, command by command: one clear line, the right status, nothing half-written."""

import gzip
import os
import shutil
import signal
import subprocess

import harness

NOBODY = 65534
ONE_LINE = r"\Aheapdiff: [^\n]+: [^\n]+\n\Z"
USAGE_LINE = r'\Aheapdiff: [^\n]+ \(try "heapdiff(?: %s)? --help"\)\n\Z'

# Where a profile is read: @ is the bad file, which names itself in the line.
READERS = (
    ["@"], ["report", "@"], ["--json", "@"], ["--collected", "@"], ["--tree", "@"], ["--base", "@", "good.prof"],
    ["--base", "good.prof", "@"], ["collections", "@"], ["export", "--format", "json", "@"],
    ["export", "--format", "pprof", "-o", "out", "@"], ["export", "--format", "pprof-go", "-o", "out", "@"],
    ["export", "--format", "collapsed", "-o", "out", "--base", "@", "good.prof"],
    ["recover", "@"], ["recover", "-o", "out", "@"], ["recover", "--delete", "@"])

COMMANDS = {  # with what makes them complete
    "": ["good.prof"], "report": ["good.prof"], "run": ["--", "true"], "snap": ["1"], "rss": ["1"],
    "attach": ["1"], "collections": ["good.prof"], "recover": ["good.prof"],
    "export": ["--format", "json", "good.prof"]}

OPTIONS = (["--nonsense"], ["--nonsense=3"], ["-Z"], ["-ZZ"], ["--help=3"])
OWN_OPTIONS = {
    "": (["--top=x"], ["--nodefraction", "7"], ["--focus", "(["], ["--skip", "(["], ["--ignore", "(["],
         ["--unit", "parsec"], ["--color=mauve"], ["--normalize"], ["--json", "--tree"], ["other.prof"]),
    "run": (["-O", "nonsense"], ["-qZ"]), "snap": (["2"], ["--exact=1"]),
    "rss": (["2"], ["--unit", "parsec"], ["--color=mauve"]), "attach": (["2"], ["--unit", "parsec"]),
    "collections": (["other.prof"], ["--unit", "parsec"]), "recover": (["--all"], ["--delete", "--keep"]),
    "export": (["--format", "nonsense"], ["other.prof"])}

PIDS = ("abc", "-1", "0", "1x", " 1", "+1", "1.5", "", "99999999999999999999")
GONE = "4194305"  # more than the kernel has


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.run_program([harness.helper("truth"), self.path("table")], "out=good.prof")

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return name

    def command(self, *arguments, **how):
        """(status, stdout, stderr), without anything to read on stdin."""
        done = subprocess.run([harness.COMMAND, *arguments], cwd=self.directory, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=harness.LIMIT_SECONDS,
                              env=harness.environment(preload=False), **how)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


class Inputs(Case):
    def bad_files(self):
        with open(self.path("good.prof"), "rb") as file:
            good = file.read()
        self.write("locked", good)
        os.chmod(self.path("locked"), 0)
        os.symlink("loop", self.path("loop"))
        os.mkdir(self.path("folder"))
        with open(self.path("huge"), "wb") as file:
            file.truncate(3 << 30)
        return ("missing", "missing/file", "good.prof/file", "folder", "loop", "locked", "huge", "n" * 300, "",
                "two\nlines", "/dev/null", "-", self.write("empty", b""), self.write("half", good[:len(good) // 2]),
                self.write("text", b"hello world\n" * 100), self.write("zipped", gzip.compress(b"hello" * 100)),
                self.write("box", b"HEAPDIFF" + bytes(9000)))

    def test_profiles(self):
        how = {}
        bad = self.bad_files()
        if os.getuid() == 0:  # whom no file refuses
            how = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            harness.COMMAND, before = shutil.copy(harness.COMMAND, self.path("command")), harness.COMMAND
            self.addCleanup(setattr, harness, "COMMAND", before)
            os.chmod(self.directory, 0o777)
            os.chmod(self.path("good.prof"), 0o644)
        there = sorted(os.listdir(self.directory))
        for form in READERS:
            for name in bad:
                arguments = [name if word == "@" else word for word in form]
                with self.subTest(arguments):
                    status, output, errors = self.command(*arguments, **how)
                    self.assertEqual((status, output), (1, ""), errors)
                    self.assertRegex(errors, ONE_LINE)
                    shown = {"": '""', "-": "" if "recover" in form else "standard input"}.get(name, name)
                    self.assertIn(shown.replace("\n", "?"), errors)
                    self.assertEqual(sorted(os.listdir(self.directory)), there)

    def test_fifo_is_read(self):
        os.mkfifo(self.path("pipe"))
        with subprocess.Popen(["cp", "good.prof", "pipe"], cwd=self.directory):
            self.assertEqual(self.command("pipe"), self.command("good.prof"))

    def test_processes(self):
        for command in ("snap", "rss", "attach"):
            for pid in PIDS:
                with self.subTest([command, pid]):
                    status, output, errors = self.command(command, pid)
                    self.assertEqual((status, output), (2, ""))
                    self.assertRegex(errors, USAGE_LINE % command)
            self.assertEqual(self.command(command, GONE),
                             (1, "", "heapdiff: %s: no such process\n" % GONE))
        for pid in (*PIDS, GONE):
            if not pid.startswith("-"):
                status, output, errors = self.command("recover", pid)
                self.assertEqual((status, output), (1, ""))
                self.assertRegex(errors, ONE_LINE)

    def test_programs(self):
        os.mkdir(self.path("folder"))
        self.write("text", b"hello\n")
        for name in ("missing", "folder", "text", "good.prof/file", "n" * 300):
            status, output, errors = self.command("run", "--", "./" + name)
            self.assertEqual((status, output), (1, ""), errors)
            self.assertRegex(errors, ONE_LINE)


class Usage(Case):
    def wrong(self, command, *arguments):
        words = ([command] if command else []) + list(arguments)
        with self.subTest(words):
            status, output, errors = self.command(*words)
            self.assertEqual((status, output), (2, ""), errors)
            self.assertRegex(errors, USAGE_LINE % command)
        return errors

    def test_options(self):
        for command, rest in COMMANDS.items():
            for options in OPTIONS + OWN_OPTIONS.get(command, ()):
                self.wrong(command, *options, *rest)
            if command != "recover":  # which lists black boxes then
                self.wrong(command)

    def test_values_are_missing(self):
        for command, names in {"": ("--base", "--focus"), "run": ("-o", "--sample", "-O", "-qo"), "snap": ("-o",),
                               "rss": ("--profile", "--unit"), "attach": ("--output",), "recover": ("-o",),
                               "collections": ("--unit",), "export": ("-o", "--base")}.items():
            for name in names:
                self.assertIn("missing after " + name, self.wrong(command, name))

    def test_the_letter_is_named(self):
        """Not the word before: getopt's index still stands there within a group of letters."""
        for command in ("run", "snap", "rss", "attach", "recover", "collections"):
            self.assertIn("unknown option -Z ", self.wrong(command, "-ZZ", "1"))


class Outputs(Case):
    """Where the result cannot go. What stands under its name stays as it was."""

    def setUp(self):
        super().setUp()
        self.child = self.start(["sleep", "60"], "out=taken.%c.prof")
        harness.wait_until(lambda: self.boxes(self.child.pid), "the black box")

    def writers(self):
        pid = str(self.child.pid)
        formats = ("pprof", "pprof-go", "collapsed", "speedscope", "json")
        return [["export", "--format", name, "good.prof"] for name in formats] + [
            ["snap", pid], ["snap", "--exact", pid], ["recover", "--keep", pid]]

    def test_places(self):
        os.mkdir(self.path("folder"))
        os.symlink("loop", self.path("loop"))
        for writer in self.writers():
            for place in ("folder", "missing/out", "good.prof/out", "loop", "n" * 300, "", "/proc/self/out"):
                with self.subTest(writer + [place]):
                    before = os.listdir(self.directory)
                    status, output, errors = self.command(*writer, "-o", place)
                    self.assertEqual((status, output), (1, ""), errors)
                    self.assertRegex(errors, ONE_LINE)
                    self.assertEqual(sorted(os.listdir(self.directory)), sorted(before))

    def test_places_of_run(self):
        """A profile takes the place of what has its name: not of a pipe, a device or a folder. No program runs."""
        os.mkdir(self.path("folder"))
        os.mkfifo(self.path("pipe"))
        for place in ("folder", "missing/out", "good.prof/out", "n" * 300, "", "pipe"):
            with self.subTest(place):
                status, output, errors = self.command("run", "-o", place, "--", "echo", "ran")
                self.assertEqual((status, output), (1, ""), errors)
                self.assertRegex(errors, ONE_LINE)

    def test_full_disk(self):
        os.mkdir(self.path("small"))
        for writer in self.writers() + [["run", "-o", "small/out", "--", "true"]]:
            words = [harness.COMMAND, *writer] + (["-o", "small/out"] if writer[0] != "run" else [])
            script = ("mount -t tmpfs -o size=4k none small || exit %d; echo old >small/out; \"$@\"; "
                      "echo status $?; ls -A small; cat small/out" % harness.SKIP)
            with self.subTest(writer):
                done = self.run_program(["unshare", "-m", "sh", "-c", script, "sh", *words], preload=False)
                if done[0] == harness.SKIP or "unshare" in done[2]:
                    self.skipTest("no private mounts: " + done[2])
                status = 0 if writer[0] == "run" else 1  # that is the program's
                self.assertEqual(done[1], "status %d\nout\nold\n" % status)
                self.assertIn("small/out", done[2])
                self.assertRegex(done[2], r"\A(heapdiff: [^\n]+\n){1,3}\Z")

    def test_reader_has_gone(self):
        pid = str(self.child.pid)
        for words in (["good.prof"], ["--traces", "good.prof"], ["--json", "good.prof"], ["--help"], ["rss", pid],
                      ["rss", "--json", pid], ["export", "--format", "collapsed", "good.prof"],
                      ["export", "--format", "pprof", "good.prof"]):
            with self.subTest(words):
                reading, writing = os.pipe()
                os.close(reading)
                done = subprocess.run([harness.COMMAND, *words], cwd=self.directory, stdout=writing, timeout=60,
                                      stderr=subprocess.PIPE, env=harness.environment(preload=False))
                os.close(writing)
                self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, b""))


if __name__ == "__main__":
    harness.main()
