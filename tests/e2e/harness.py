"""What every end-to-end test needs: a place of its own, programs run with and without the preload.

HEAPDIFF_BUILD names the build directory; meson sets it. By hand:
    HEAPDIFF_BUILD=build python3 tests/e2e/truth.py
"""

import contextlib
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from prof import Profile

BUILD = os.path.abspath(os.environ.get("HEAPDIFF_BUILD", "build"))
PRELOAD = os.path.join(BUILD, "src/preload/libheapdiff.so")
COMMAND = os.path.join(BUILD, "src/cli/heapdiff")
HELPERS = os.path.join(BUILD, "tests/e2e")
SKIP = 77
LIMIT_SECONDS = 120

# A build with -Dself_check=true has libunwind in every process: its descriptors, its system calls.
SELF_CHECK = bool(os.environ.get("HEAPDIFF_SELF_CHECK"))
without_oracle = unittest.skipIf(SELF_CHECK, "libunwind is in this build's way")


def helper(name):
    return os.path.join(HELPERS, name)


def environment(options=None, preload=True, **more):
    """The environment of a plain run, or of a recorded one with these HEAPDIFF options.

    TZ is set because reading /etc/localtime's time would differ between two runs of nothing.
    """
    result = {key: value for key, value in os.environ.items()
              if key not in ("LD_PRELOAD", "HEAPDIFF", "MALLOC_PERTURB_", "ASAN_OPTIONS")}
    result.update(LC_ALL="C.UTF-8", TZ="UTC")
    if preload:
        result["LD_PRELOAD"] = PRELOAD
        if options:
            result["HEAPDIFF"] = options
    result.update(more)
    return result


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIP)


def boxes_into(directory):
    """The black boxes of processes recorded into `directory`, children's children too: the header of
    a box tells where its profiles go.
    """
    found = []
    for path in glob.glob("/dev/shm/*.heapdiff"):
        with contextlib.suppress(OSError):  # its process may remove it at any time
            with open(path, "rb") as file:
                if directory.encode() in file.read(16384):
                    found.append(path)
    return found


def remove_boxes(directory):
    for path in boxes_into(directory):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def wait_until(holds, what, seconds=20):
    """Polls until holds() is true and returns its value; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = holds()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("waited in vain for " + what)


class Case(unittest.TestCase):
    """A test in a directory of its own, removed at the end unless KEEP is set."""

    maxDiff = 4000

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="heapdiff-e2e-")
        self.addCleanup(self.clean)
        self.children = []
        if not os.path.exists(PRELOAD):
            self.fail("not built: " + PRELOAD)

    def clean(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.communicate()
        remove_boxes(self.directory)
        if os.environ.get("KEEP"):
            print("kept: " + self.directory, file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def start(self, arguments, options=None, preload=True, more=None, **how):
        """Starts a program in the test's directory with its output in pipes."""
        how.setdefault("cwd", self.directory)
        how.setdefault("stdin", subprocess.DEVNULL)
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=environment(options, preload, **(more or {})), **how)
        self.children.append(child)
        return child

    def run_program(self, arguments, options=None, preload=True, more=None, **how):
        """Runs a program to its end: (exit status, stdout, stderr, pid)."""
        child = self.start(arguments, options, preload, more, **how)
        output, errors = child.communicate(timeout=LIMIT_SECONDS)
        return child.returncode, output.decode(), errors.decode(), child.pid

    def heapdiff(self, *arguments, status=0):
        """Runs the command without the preload; its stdout, or stderr when it must fail."""
        done = self.run_program([COMMAND, *arguments], preload=False)
        self.assertEqual(done[0], status, "heapdiff %s: %s" % (" ".join(arguments), done[1:3]))
        return done[1] if status == 0 else done[2]

    def profiles(self, pattern="*.prof"):
        """Paths of the profiles in the test's directory, oldest number first."""
        def order(path):
            return [int(part) if part.isdigit() else 0 for part in path.split(".")[-3:]], path
        return sorted(glob.glob(self.path(pattern)), key=order)

    def profile(self, pattern="*.prof"):
        """The only profile there, checked."""
        found = self.profiles(pattern)
        self.assertEqual(len(found), 1, "profiles %s in %s" % (found, os.listdir(self.directory)))
        return Profile(found[0]).check()

    def counted(self, path, function):
        """[alloc_objects, inuse_objects] of all stacks through `function`."""
        profile = Profile(path).check()
        through = [sample.values for sample in profile.samples
                   if function in [name for _, name in profile.frames(sample)]]
        return [sum(values[name] for values in through) for name in ("alloc_objects", "inuse_objects")]

    def snapshot(self, child, count, number=signal.SIGUSR1):
        """Signals a child until it has written profile `count`; its path."""
        child.send_signal(number)
        pattern = "*.%d.*.prof" % child.pid
        wait_until(lambda: len(self.profiles(pattern)) >= count or child.poll() is not None,
                   "snapshot %d" % count)
        found = self.profiles(pattern)
        self.assertGreaterEqual(len(found), count, "the program ended: %s" % child.poll())
        return found[-1]

    def boxes(self, pid):
        """Black boxes of a process that lie about."""
        return (glob.glob("/dev/shm/*.%d.heapdiff" % pid)
                + glob.glob(self.path("*.%d.heapdiff" % pid)))


def main():
    unittest.main(verbosity=2)
