"""Hosts that could be harmed: programs that start others, sandboxes, limits, allocators, odd links."""

import ctypes.util
import os
import shutil
import signal
import subprocess
import sys
import time

import harness
from prof import Profile


class Host(harness.Case):
    def same(self, arguments, options=None, **how):
        """Runs it with and without the preload: nobody sees a difference. The recorded one's pid."""
        plain = self.run_program(arguments, preload=False, **how)
        done = self.run_program(arguments, options, **how)
        self.assertEqual(done[:3], plain[:3])
        return done[3]


class Exec(Host):
    def test_ignored_signal_is_inherited(self):
        """By fork, vfork, posix_spawn, posix_spawnp, system, popen."""
        program = harness.helper("hosts_exec")
        for options in (None, "children=off", "only=hosts_exec"):
            with self.subTest(options):
                self.same([program, "ignoring", program], options)

    def test_exec_that_fails_late(self):
        """What only the kernel can know: nothing is left of the attempt, and its time is recorded."""
        with open(self.path("junk"), "w") as file:
            file.write("no program")
        os.chmod(self.path("junk"), 0o755)
        pid = self.same([harness.helper("hosts_exec"), "failing", self.path("junk")])
        path, = self.profiles()
        self.assertTrue(path.endswith(".%d.1.prof" % pid), path)
        self.assertEqual(self.counted(path, "exec_site"), [11, 11])
        self.assertEqual(self.counted(path, "thread_site")[0], 50000)
        self.assertEqual(self.boxes(pid), [])


class Sandbox(Host):
    """Filters that a program puts on itself, and that kill for calls which it does not make."""

    def start_filter(self, how, action, more=None):
        return self.start([harness.helper("hosts_filter"), how, action], stdin=subprocess.PIPE,
                          more=more)

    def until_ready(self, child):
        lines = []
        while not lines or lines[-1] not in (b"ready\n", b""):
            lines.append(child.stdout.readline())
        return lines

    def finish(self, child):
        child.stdin.write(b"x")
        errors = child.communicate(timeout=30)[1].decode()
        self.assertEqual(child.returncode, 6, errors)
        return errors

    @harness.without_oracle
    def test_filters_that_kill(self):
        for how in ("prctl", "seccomp", "syscall"):
            for action in ("kill", "trap", "zero"):
                with self.subTest(how=how, action=action):
                    self.check_deadly(how, action)

    def check_deadly(self, how, action):
        child = self.start_filter(how, action)
        self.assertEqual(self.until_ready(child), [b"probed 1\n", b"child 5\n", b"ready\n"])
        child.send_signal(signal.SIGUSR1)  # nobody may answer this from inside
        snapped, recovered = self.path(how + action + "1"), self.path(how + action + "2")
        self.heapdiff("snap", str(child.pid), "-o", snapped)
        self.assertEqual(self.counted(snapped, "filter_site"), [7, 7])
        errors = self.finish(child)
        self.assertEqual(errors.count("\n"), 1, errors)
        self.assertIn("heapdiff recover", errors)
        self.assertEqual(self.profiles(), [])
        self.heapdiff("recover", str(child.pid), "-o", recovered)
        self.assertEqual(self.counted(recovered, "filter_site"), [12, 12])
        sites = 8192 * (4 if how == "seccomp" else 1)
        self.assertGreaterEqual(self.counted(recovered, "spread")[0], sites)

    @harness.without_oracle
    def test_filter_by_arguments(self):
        """It kills who opens a file in a way that was not asked about when it was installed."""
        path = self.path("arguments.prof")
        done = self.run_program([harness.helper("hosts_arguments"), path])
        self.assertEqual(done[0], 6, done[2])
        self.assertEqual(self.counted(path, "arguments_site"), [9, 9])

    def test_filter_by_libseccomp(self):
        """It tries more than one way to install its filter; of that, one line is said."""
        if not ctypes.util.find_library("seccomp"):
            self.skipTest("no libseccomp")
        with open(self.path("filter.py"), "w") as file:
            file.write("import ctypes\n"
                       "one = ctypes.CDLL('libseccomp.so.2')\n"
                       "one.seccomp_init.restype = ctypes.c_void_p\n"
                       "made = ctypes.c_void_p(one.seccomp_init(0x7fff0000))\n"
                       "for name in b'fallocate', b'renameat2', b'unlinkat', b'getpid':\n"
                       "    number = one.seccomp_syscall_resolve_name(name)\n"
                       "    assert one.seccomp_rule_add(made, 0x80000000, number, 0) == 0\n"
                       "assert one.seccomp_load(made) == 0\n"
                       "print(len([bytes(i) for i in range(9000)]))\n")
        done = self.run_program([sys.executable, self.path("filter.py")])
        self.assertEqual(done[:2], (0, "9000\n"), done[2])
        self.assertEqual(done[2].count("\n"), 1, done[2])
        self.heapdiff("recover", str(done[3]), "-o", self.path("recovered"))
        self.assertGreater(Profile(self.path("recovered")).check().total("malloc", "alloc_objects"),
                           1000)

    def test_filter_that_refuses(self):
        """ENOSYS for everything we do: a program that is none the worse, and a box that is left."""
        child = self.start_filter("seccomp", "errno")
        self.until_ready(child)
        self.finish(child)
        self.heapdiff("recover", str(child.pid), "-o", self.path("recovered"))
        self.assertEqual(self.counted(self.path("recovered"), "filter_site")[0], 12)

    def test_filter_that_was_there_first(self):
        """The program is started inside of it, as by a container's run time: without what we like."""
        command = [harness.helper("hosts_filter"), "prctl", "errno", "/bin/sh", "-c",
                   "for i in 1 2 3; do (echo $i); done; exec /bin/echo 4"]
        pid = self.same(command, "blackbox=off")
        self.assertEqual(len(self.profiles("*.%d.*.prof" % pid)), 3, "the helper's, sh's, echo's")
        done = self.run_program(command)
        self.assertEqual(done[:2], (0, "probed 1\n1\n2\n3\n4\n"))
        self.assertIn("no black box", done[2])


class Allocators(Host):
    """One program that asks for all that an allocator is known for, on each allocator, in each order."""

    LIBRARIES = ("libjemalloc.so.2", "libtcmalloc.so.4", "libtcmalloc_minimal.so.4",
                 "libmimalloc.so.2")

    def run_allocator(self, *preloads, arguments=()):
        """Its exit status and output, and our lines; what others say is theirs."""
        done = self.run_program([harness.helper("allocator"), *arguments], "children=off",
                                more={"LD_PRELOAD": ":".join(preloads)})
        ours = [line for line in done[2].splitlines() if line.startswith("heapdiff: ")]
        return done[:2], ours

    def check(self, library, arguments=()):
        plain = self.run_allocator(library, arguments=arguments)
        self.assertEqual(plain[0][0], 0)
        self.assertEqual(self.run_allocator(harness.PRELOAD, library, arguments=arguments), plain)
        path, = self.profiles()
        self.assertGreater(self.counted(path, "churn_main")[0], 8 * 10 * 1800)
        os.unlink(path)
        behind = self.run_allocator(library, harness.PRELOAD, arguments=arguments)
        self.assertEqual(behind[0], plain[0])
        return behind[1]

    def test_libc(self):
        plain = self.run_allocator()
        self.assertEqual(self.run_allocator(harness.PRELOAD), plain)
        self.assertEqual(Profile(self.profiles()[0]).check().lost(), {})

    def test_others_in_either_order(self):
        for name in self.LIBRARIES:
            library = ctypes.util.find_library(name[3:name.index(".")])
            if not library:
                continue
            with self.subTest(name):
                lines = self.check(name, ["no-pvalloc"] if "jemalloc" in name else [])
                self.assertEqual(len(lines), 1)
                self.assertIn(name.split(".")[0], lines[0])
                path, = self.profiles()
                self.assertEqual(Profile(path).check().total("malloc", "alloc_objects"), 0)
                os.unlink(path)

    def test_second_interposer(self):
        """It allocates inside of malloc; in front of us it is an allocator of its own, behind us a part of one."""
        library = harness.helper("libhosts_interposer.so")
        self.assertEqual(len(self.check(library)), 1)


class Many(Host):
    def run_many(self, *arguments, options=None, **how):
        """[allocations, live] as the program and its profile tell."""
        arguments = [harness.helper("hosts_many"), *arguments]
        plain = self.run_program(arguments, preload=False)
        done = self.run_program(arguments, options, **how)
        if plain[0] == 77:
            self.skipTest("not to be had here")
        self.assertEqual(done[:3], plain[:3])
        return [int(word) for word in done[1].split()], done[3]

    def exact(self, *arguments):
        wanted, pid = self.run_many(*arguments)
        path = self.profiles("hosts_many.%d.*.prof" % pid)[-1]
        self.assertEqual(Profile(path).check().lost(), {})
        self.assertEqual(self.counted(path, "many_site"), wanted)

    def test_thousand_threads(self):
        self.exact("together")

    def test_short_threads(self):
        self.exact("short")

    def test_freed_by_other_threads(self):
        self.exact("handed")

    def test_smallest_alternate_stack(self):
        self.exact("alternate")
        self.assertEqual(len(self.profiles()), 11)

    def test_close_range(self):
        self.exact("close_range")

    def test_memory_that_grows_down(self):
        """Where the kernel lets it grow in a plain run, none of ours is in its way."""
        arguments = [harness.helper("hosts_many"), "growing"]
        if self.run_program(arguments, preload=False)[0] != 0:
            self.skipTest("it does not grow here")
        for _ in range(5):
            self.exact("growing")
            for path in self.profiles():
                os.unlink(path)

    def test_no_files_in_proc(self):
        """FIFOs and /dev/zero in their place: a snapshot without a ledger, and nobody waits."""
        for kind in ("fifo", "device"):
            with self.subTest(kind):
                done = self.run_program([harness.helper("hosts_many"), "proc", kind])
                if done[0] == 77:
                    self.skipTest("not root")
                self.assertEqual(done[:2], (0, "2 2\n"))
                found = self.profiles("hosts_many.%d.*.prof" % done[3])
                self.assertEqual(len(found), 2)
                self.assertEqual(self.counted(found[-1], "many_site"), [2, 2])

    def test_chroot(self):
        """Neither the profile nor the box has a name there: what is left is recovered from outside."""
        os.mkdir(self.path("root"))
        done = self.run_program([harness.helper("hosts_many"), "chroot", self.path("root")])
        if done[0] == 77:
            self.skipTest("not root")
        self.assertEqual(done[:2], (0, "2 2\n"))
        self.assertIn("no snapshot written", done[2])
        self.assertEqual(os.listdir(self.path("root")), [])
        self.heapdiff("recover", str(done[3]), "-o", self.path("recovered"))
        self.assertEqual(self.counted(self.path("recovered"), "many_site"), [2, 2])

    def test_forks(self):
        """Ten thousand in the long run; each child that allocates has a profile, and none leaves a box."""
        count = int(os.environ.get("HEAPDIFF_FORKS", "1500"))
        began = time.monotonic()
        done, pid = self.run_many("forks", str(count))
        self.assertEqual(done, [count])
        self.assertLess(time.monotonic() - began, 5 + count / 200)
        self.assertEqual(len(self.profiles()), 1 + (count + 99) // 100)
        self.assertEqual(self.boxes(pid), [])

    def test_limits(self):
        """RLIMIT_DATA counts what strict accounting of memory (overcommit_memory=2) counts, too."""
        for name, size, written in (("as", 120 << 20, True), ("data", 40 << 20, True),
                                    ("memlock", 0, True), ("fsize", 0, False), ("nofile", 0, False),
                                    ("nofile", 3, False), ("fsize", 500, False)):
            with self.subTest(name=name, size=size):
                program = [harness.helper("hosts_many"), "limit", name, str(size)]
                done = self.run_program(program)
                self.assertEqual(done[:2], (0, "20000 20000\n"))
                found = self.profiles("hosts_many.%d.*.prof" % done[3])
                if written:
                    self.assertEqual(self.counted(found[0], "many_site"), [20000, 20000])
                    continue
                self.assertEqual((found, done[2].count("\n") > 0), ([], True))
                self.heapdiff("recover", str(done[3]), "-o", self.path("recovered"))
                self.assertGreater(self.counted(self.path("recovered"), "many_site")[0], 15000)

    def test_until_there_is_no_more(self):
        """However much there is from the start on: NULL, ENOMEM, and a program that goes on. What was not recorded is counted."""
        for left in range(6 << 10, 24 << 10, 1536):
            with self.subTest(left=left):
                program = [harness.helper("hosts_short"), str(left)]
                plain = self.run_program(program, preload=False)
                done = self.run_program(program)
                self.assertEqual(done[:2], plain[:2], done[2])
                path = self.profiles("hosts_short.%d.*.prof" % done[3])[-1]
                taken, recorded = int(done[2].split("\n")[-2]), self.counted(path, "short_site")[0]
                self.assertGreater(taken, 0)
                self.assertLessEqual(recorded, taken)
                if not Profile(path).check().lost():
                    self.assertEqual(recorded, taken)

    def test_no_memory_for_a_snapshot(self):
        """However little a limit leaves, the snapshot is written, at worst without a ledger."""
        for left in (0, 4096, 65536, 131072, 262144, 524288, 1 << 20, 4 << 20):
            with self.subTest(left=left):
                done = self.run_program([harness.helper("hosts_many"), "tight", str(left)])
                self.assertEqual(done[:3], (0, "20000 20000\n", ""))
                found = self.profiles("hosts_many.%d.*.prof" % done[3])
                self.assertEqual(len(found), 2)
                for path in found:
                    self.assertEqual(self.counted(path, "many_site"), [20000, 20000])

    def test_no_room_for_thread_locals(self):
        """Ours are there first: libraries get what they get in a plain run, with RTLD_DEEPBIND."""
        paths = [self.path("tls%d.so" % i) for i in range(40)]
        for path in paths:
            shutil.copy(harness.helper("libhosts_tls.so"), path)
        arguments = [harness.helper("hosts_many"), "libraries", *paths]
        plain = int(self.run_program(arguments, preload=False)[1])
        done = self.run_program(arguments)
        self.assertEqual(done[0], 0)
        self.assertGreaterEqual(int(done[1]), min(plain, 5))
        self.assertGreaterEqual(int(done[1]), plain - 2, "plain: %d" % plain)
        self.assertEqual(self.counted(self.profiles()[0], "many_site"), [1, 1])


class Links(Host):
    """Programs that a preloaded library does not reach, or should not."""

    SOURCE = ("#include <stdlib.h>\n#include <stdio.h>\nint main(void) { void *volatile p;"
              "for (int i = 0; i < 9; i++) { p = malloc(50); free(p); } puts(\"ran\"); return 0; }\n")

    def build(self, *flags, compiler="gcc"):
        with open(self.path("linked.c"), "w") as file:
            file.write(self.SOURCE)
        built = subprocess.run([compiler, *flags, self.path("linked.c"), "-o", self.path("linked")],
                               stderr=subprocess.DEVNULL)
        if built.returncode != 0:
            self.skipTest("%s cannot" % compiler)

    def check_refused(self, *words):
        """Alone it runs as ever; `heapdiff run` says why not, and does not start it."""
        plain = self.run_program([self.path("linked")], preload=False)
        done = self.run_program([self.path("linked")], preload=True)
        self.assertEqual(done[:2], plain[:2])
        refused = self.run_program([harness.COMMAND, "run", self.path("linked")], preload=False)
        self.assertEqual(refused[:2], (1, ""))
        for word in words:
            self.assertIn(word, refused[2])
        forced = self.run_program([harness.COMMAND, "run", "--force", self.path("linked")],
                                  preload=False)
        self.assertEqual(forced[:2], (0, "ran\n"))
        return done[2]

    def test_static(self):
        self.build("-static")
        self.assertEqual(self.check_refused("statically linked"), "")

    def test_static_pie(self):
        self.build("-static-pie", "-fPIE")
        self.assertEqual(self.check_refused("statically linked"), "")

    def test_setuid(self):
        if os.getuid() != 0:
            self.skipTest("not root")
        self.build()
        os.chown(self.path("linked"), 65534, 65534)
        os.chmod(self.path("linked"), 0o4755)
        self.check_refused("more rights")

    def test_sanitizers(self):
        """Linked statically, and as libraries, of which gcc's for addresses insists on being the first."""
        for compiler, kind in (("clang", "address"), ("clang", "memory"), ("clang", "thread"),
                               ("gcc", "address"), ("gcc", "thread")):
            with self.subTest(compiler=compiler, kind=kind):
                self.build("-fsanitize=" + kind, compiler=compiler)
                said = self.check_refused("sanitizer")
                self.assertEqual(said.count("\n"), 1, said)
                self.assertIn("sanitizer", said)
                self.assertEqual(self.profiles("linked*.prof"), [])

    def test_valgrind(self):
        """Its malloc is not ours, and memcheck would report how we look around."""
        if not shutil.which("valgrind"):
            self.skipTest("no valgrind")
        self.build()
        done = self.run_program(["valgrind", "-q", "--error-exitcode=3", self.path("linked")])
        self.assertEqual(done[:2], (0, "ran\n"), done[2])
        self.assertEqual(done[2], "heapdiff: this program runs under valgrind: running unprofiled\n")
        self.assertEqual(self.profiles("linked*.prof"), [])


if __name__ == "__main__":
    harness.main()
