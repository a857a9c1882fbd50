"""Real programs that are asked for snapshots all the time: they must not notice."""

import os
import shutil
import signal
import subprocess
import time

import harness
from prof import Profile

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


class Rain(harness.Case):
    def rain_on(self, *arguments, more=None, pause_seconds=0.05):
        """Output and status are a plain run's; the first and the last profile are read."""
        if not shutil.which(arguments[0]):
            self.skipTest("no " + arguments[0])
        plain = self.run_program(arguments, preload=False, more=more)
        with open(self.path("output"), "wb") as output, open(self.path("errors"), "wb") as errors:
            child = subprocess.Popen(arguments, cwd=self.directory, stdin=subprocess.DEVNULL,
                                     stdout=output, stderr=errors,
                                     env=harness.environment("children=off", **(more or {})))
            self.signal_until_the_end(child, pause_seconds)
        with open(self.path("output")) as output, open(self.path("errors")) as errors:
            self.assertEqual((child.wait(), output.read(), errors.read()), plain[:3])
        found = self.profiles()
        self.assertGreater(len(found), 1)
        for path in (found[0], found[-1]):
            self.assertEqual(Profile(path).check().lost(), {})

    def signal_until_the_end(self, child, pause_seconds):
        """One signal after the other has been answered: a large profile takes its time."""
        end = time.monotonic() + harness.LIMIT_SECONDS
        time.sleep(0.05)  # until the preload listens, the signal would kill
        while child.poll() is None and time.monotonic() < end:
            count = len(self.profiles())
            child.send_signal(signal.SIGUSR1)
            while len(self.profiles()) == count and child.poll() is None and time.monotonic() < end:
                time.sleep(0.005)
            time.sleep(pause_seconds)
        child.kill()

    def test_python(self):
        self.rain_on("/usr/bin/python3", os.path.join(SCRIPTS, "script.py"),
                     more={"PYTHONMALLOC": "malloc"})

    def test_perl(self):
        self.rain_on("perl", "-e", "my %h; for my $i (1 .. 600000) { $h{$i % 5000} .= 'x' }"
                     "print scalar(keys %h), length(join '', values %h), qq(\\n)")

    def test_java(self):
        if not shutil.which("javac"):
            self.skipTest("no javac")
        subprocess.run(["javac", "-d", self.directory, os.path.join(SCRIPTS, "Script.java")],
                       check=True)
        self.rain_on("java", "-Xmx128m", "-XX:-UsePerfData", "-cp", self.directory, "Script")

    def test_go(self):
        if not os.path.exists(harness.helper("script-go")):
            self.skipTest("the test of go has not built it yet")
        self.rain_on(harness.helper("script-go"), *["more"] * 3)

    def test_compiler(self):
        driver = subprocess.run(["gcc", "-print-prog-name=cc1plus"], capture_output=True,
                                text=True, check=False).stdout.strip()
        self.rain_on(driver or "cc1plus", "-quiet", "-std=c++17", "-imultiarch",
                     "x86_64-linux-gnu", "-D_GNU_SOURCE", "-fsyntax-only",
                     os.path.join(SCRIPTS, "script.cc"), pause_seconds=0.3)

    def test_sqlite(self):
        with open(os.path.join(SCRIPTS, "script.sql")) as file:
            script = "".join(line for line in file if not line.startswith("."))
        self.rain_on("sqlite3", ":memory:", script)


if __name__ == "__main__":
    harness.main()
