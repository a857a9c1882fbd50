"""HEAPDIFF=...: what each key does, and that a mistake harms nothing."""

import os
import re
import socket
import stat
import time

import harness
from prof import Profile


class Options(harness.Case):
    def truth(self, options, **how):
        return self.run_program([harness.helper("truth"), self.path("table")], options, **how)

    def refused(self, options):
        done = self.truth(options)
        self.assertEqual(done[:2], (0, "ready\n"))
        self.assertRegex(done[2], r"\Aheapdiff: [^\n]+\n\Z", options)
        self.assertEqual(self.profiles(), [], "runs on unprofiled")

    def test_mistakes(self):
        for options in ("nonsense=1", "keep=x", "every=abc", "every=-5%", "interval=5parsecs",
                        "signal=WRONG", "signal=KILL", "only=([", "children=perhaps", "keep",
                        "allocator=nothing", "=", "out="):
            with self.subTest(options):
                self.refused(options)

    def test_help(self):
        done = self.truth("help")
        for key in ("out", "signal", "blackbox", "every", "interval", "keep", "children", "only",
                    "allocator"):
            self.assertRegex(done[1] + done[2], r"\b%s=" % key)

    def test_pattern(self):
        os.mkdir(self.path("sub"))
        before = int(time.time())
        done = self.truth("out=%s/%%n-%%p-%%c-%%h-%%t-%%%%.prof" % self.path("sub"))
        self.assertEqual(done[:3], (0, "ready\n", ""))
        name, = os.listdir(self.path("sub"))
        match = re.fullmatch(r"truth-(\d+)-1-(.+)-(\d+)-%.prof", name)
        self.assertTrue(match, name)
        self.assertEqual(match[1], str(done[3]))
        self.assertEqual(match[2], socket.gethostname())
        Profile(self.path("sub", name)).check()
        if len(match[3]) == 10:
            self.assertIn(int(match[3]) - before, range(60))

    def test_relative_pattern_is_of_the_start(self):
        """A program that changes its directory writes where it was started."""
        self.run_program(["bash", "-c", "cd /; :"], "out=here.%c.prof")
        self.assertTrue(self.profiles("here.*"), os.listdir(self.directory))

    def test_keep(self):
        child = self.start([harness.helper("storm"), "2"], "keep=2")
        child.stdout.readline()
        for number in range(1, 5):
            child.send_signal(harness.signal.SIGUSR1)
            harness.wait_until(lambda n=number: self.profiles("*.%d.prof" % n), "a snapshot")
        child.communicate()
        names = [path.split(".")[-2] for path in self.profiles()]
        self.assertEqual(names, ["4", "5"])

    def test_every(self):
        done = self.run_program([harness.helper("grow")], "every=50%")
        self.assertEqual(done[:3], (0, "", ""))
        sizes = [Profile(path).check().total("malloc", "inuse_space") for path in self.profiles()]
        self.assertIn(len(sizes), range(4, 30), sizes)
        self.assertEqual(sizes, sorted(sizes))
        self.assertGreaterEqual(sizes[-1], 60 << 20)

    def test_interval(self):
        done = self.run_program([harness.helper("storm"), "3"], "interval=500ms")
        self.assertEqual((done[0], done[2]), (0, ""))
        self.assertIn(len(self.profiles()), range(5, 12))

    def test_children_off(self):
        self.run_program(["bash", "-c", "%s table; true" % harness.helper("truth")],
                         "children=off")
        self.assertEqual(self.profiles("truth.*"), [])
        self.assertEqual(len(self.profiles("bash.*")), 1)

    def test_only(self):
        script = "%s table; (cat /dev/null); %s fork" % (harness.helper("truth"),
                                                         harness.helper("family"))
        self.run_program(["dash", "-c", script], "only=^(truth|cat)$")
        names = {os.path.basename(path).split(".")[0] for path in self.profiles()}
        self.assertEqual(names, {"truth", "cat"})

    def test_other_allocator(self):
        done = self.truth("allocator=jemalloc")
        if "jemalloc" in done[2]:
            self.skipTest(done[2])
        self.assertEqual(self.profile().facts["allocator"], "jemalloc")


class Places(harness.Case):
    """Directories and limits that refuse: the program's output and status stay a plain run's."""

    def unharmed(self, done, lines):
        self.assertEqual(done[:2], (0, "ready\n"))
        self.assertRegex(done[2], r"\A(heapdiff: [^\n]+\n){%s}\Z" % lines)

    def private(self, script, options=None):
        """Runs a script as root of its own mounts."""
        probe = self.run_program(["unshare", "-m", "true"], preload=False)
        if probe[0]:
            self.skipTest("no private mounts: " + probe[2])
        truth = "env LD_PRELOAD=%s HEAPDIFF=%s %s table" % (harness.PRELOAD, options or "",
                                                            harness.helper("truth"))
        return self.run_program(["unshare", "-m", "sh", "-c", script + " && exec " + truth],
                                preload=False)

    def test_no_such_directory(self):
        done = self.run_program([harness.helper("truth"), self.path("table")],
                                "out=/proc/nowhere/%n.%c.prof")
        self.unharmed(done, "1,2")

    def test_output_that_is_no_file(self):
        """A file of the same name is replaced, what is none is not, nor is where it leads to."""
        kinds = {"old": lambda path: open(path, "w").close(), "fifo": os.mkfifo,
                 "link": lambda path: os.symlink(self.path("old"), path),
                 "device": lambda path: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))}
        for kind, make in kinds.items():
            with self.subTest(kind):
                try:
                    make(self.path(kind))
                except PermissionError as why:
                    self.skipTest(str(why))
                before = os.lstat(self.path(kind))
                done = self.run_program([harness.helper("truth"), self.path("table")],
                                        "out=" + self.path(kind))
                self.unharmed(done, "0" if kind == "old" else "1,2")
                after = os.lstat(self.path(kind))
                self.assertEqual(before.st_ino == after.st_ino, kind != "old")
        Profile(self.path("old")).check()
        self.assertEqual(sorted(os.listdir(self.directory)), sorted([*kinds, "table"]))

    def test_no_such_box_directory(self):
        done = self.run_program([harness.helper("truth"), self.path("table")],
                                "blackbox=/proc/nowhere")
        self.unharmed(done, "1")
        self.profile()

    def test_read_only_output(self):
        os.mkdir(self.path("ro"))
        done = self.private("mount -t tmpfs -o ro none ro", "out=ro/%n.%c.prof")
        self.unharmed(done, "1,2")

    def test_full_box_directory(self):
        os.mkdir(self.path("small"))
        done = self.private("mount -t tmpfs -o size=64k none small && head -c 60k /dev/zero"
                            " > small/fill", "blackbox=" + self.path("small"))
        self.unharmed(done, "1")
        self.assertGreater(self.profile().total("malloc", "inuse_space"), 2000000)

    def test_box_directory_fills_up(self):
        """Room for the first chunks, none for the later ones."""
        os.mkdir(self.path("small"))
        done = self.private("mount -t tmpfs -o size=640k none small",
                            "blackbox=" + self.path("small"))
        self.unharmed(done, "0,1")
        self.assertEqual(self.profile().lost(), {})

    def test_full_output_directory(self):
        os.mkdir(self.path("small"))
        done = self.private("mount -t tmpfs -o size=4k none small", "out=small/%n.%c.prof")
        self.unharmed(done, "1,2")

    def test_no_shm(self):
        done = self.private("mount -t tmpfs -o ro none /dev/shm")
        self.unharmed(done, "0,1")
        self.profile()

    def test_no_proc(self):
        done = self.private("mount -t tmpfs none /proc")
        self.assertEqual(done[0], 3, "the program itself opens /proc/self/exe")
        self.assertIn("truth: broken", done[1])

    def test_file_size_limit(self):
        for limit in (0, 4096, 100000):
            with self.subTest(limit):
                done = self.run_program(["bash", "-c", "ulimit -f $1; exec $2 /dev/null x", "x",
                                         str(limit // 1024), harness.helper("truth")],
                                        "only=^truth$")
                self.unharmed(done, "0,2")

    def test_few_descriptors(self):
        """One descriptor is enough to load libraries: enough for the preload too."""
        script = ["bash", "-c", "ulimit -n 4; exec $1 fork", "x", harness.helper("family")]
        done = self.run_program(script, "only=^family$")
        self.assertEqual(done[:2], (0, ""), done[2])

    @harness.without_oracle
    def test_no_descriptor_is_taken(self):
        script = ["bash", "-c", "exec ls -l --time-style=+ /proc/self/fd | sed 's/.*://' | wc -l"]
        self.assertEqual(self.run_program(script)[1], self.run_program(script, preload=False)[1])

    def test_address_space_limit(self):
        """Little address space: no huge reservation is made."""
        done = self.run_program(["bash", "-c", "ulimit -v 300000; exec $1", "x",
                                 harness.helper("grow")], "only=^grow$")
        self.assertEqual(done[:3], (0, "", ""))
        self.assertGreaterEqual(self.profile().total("malloc", "inuse_space"), 60 << 20)

    def test_box_is_no_link(self):
        """A planted link of the box's name is not followed."""
        os.mkdir(self.path("boxes"))
        script = "ln -s /dev/null boxes/truth.$$.heapdiff; exec %s table"
        done = self.run_program(["bash", "-c", script % harness.helper("truth")],
                                "only=^truth$,blackbox=" + self.path("boxes"))
        self.assertEqual(done[:2], (0, "ready\n"))
        self.profile()


if __name__ == "__main__":
    harness.main()
