"""`heapdiff rss` of real programs: its ledger is the kernel's RSS, mapping by mapping, byte by byte."""

import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import harness
import postgres

HERE = os.path.dirname(os.path.abspath(__file__))
SCENE = harness.helper("rss")
STATIC = harness.helper("rss_static")
KIB, MIB = 1024, 1 << 20
FIELDS = ("Size", "Rss", "Anonymous", "Swap", "LazyFree", "AnonHugePages")  # of nobody else's doing
JAVA = """
public class Rest {
    static byte[][] kept = new byte[40][];
    public static void main(String[] arguments) throws Exception {
        for (int i = 0; i < kept.length; i++) kept[i] = new byte[1 << 20];
        System.out.println("ready");
        Thread.sleep(3600000);
    }
}
"""

def said_ready(line):
    return "import time; kept = [str(i) * 20 for i in range(20000)]; print(%r, flush=True); %s" % (
        "ready", line)


# name: what must be there, the command; a program says "ready" or is waited for until it is at rest.
PROGRAMS = {
    "sleep": ["sleep", "1000"],
    "cat": ["cat"],
    "bash": ["bash", "-c", "a=$(seq 1 20000); read line"],
    "perl": ["perl", "-e", "$| = 1; @kept = map { 'x' x $_ } 1 .. 2000; sleep 1000"],
    "python3": ["python3", "-c", said_ready("time.sleep(1000)")],
    "ruby": ["ruby", "-e", "kept = (1..20000).map(&:to_s); sleep 1000"],
    "lua": ["lua", "-e", "kept = {} for i = 1, 20000 do kept[i] = i .. 'x' end io.read()"],
    "sqlite3": ["sqlite3", ":memory:",
                "create table a(b); with recursive c(n) as (select 1 union all select n + 1 from c "
                "limit 20000) insert into a select n from c; select count(*) from a;", ".read /dev/stdin"],
    "redis-server": ["redis-server", "--port", "0", "--save", "", "--unixsocket", "redis.sock"],
    "node": ["node", "-e", "const kept = Array.from({length: 20000}, String); setTimeout(() => 0, 1e6)"],
    "java": ["java", "-Xmx128m", "-XX:+UseSerialGC", "Rest.java"],
    "go": ["./half", "half.prof"],
    "threads": [SCENE, "threads"],
    "memory": [SCENE, "memory", "gone"],
    "static": [STATIC, "memory", "gone"],
}
INPUT = {"cat", "bash", "lua", "sqlite3"}  # wait for their standard input


def smaps(pid):
    """[(address, {field: bytes})] as the kernel has it, read apart from the command."""
    found = []
    with open("/proc/%d/smaps" % pid, errors="surrogateescape") as file:
        for line in file:
            words = line.split()
            if words[0][0] in "0123456789abcdef" and "-" in words[0]:
                found.append((words[0], {}))
            elif words[0][:-1] in FIELDS:
                found[-1][1][words[0][:-1]] = int(words[1]) * KIB
    return found


def rollup(pid):
    with open("/proc/%d/smaps_rollup" % pid) as file:
        return next(int(line.split()[1]) * KIB for line in file if line.startswith("Rss:"))


def state(pid):
    with open("/proc/%d/stat" % pid) as file:
        return file.read().rsplit(")", 1)[1].split()[0]


class Rss(harness.Case):
    def look(self, pid, *options):
        return json.loads(self.heapdiff("rss", "--json", *options, str(pid)))

    def at_rest(self, child):
        """Waits until a program's memory and time stand still."""
        def measure():
            with open("/proc/%d/stat" % child.pid) as file:
                return rollup(child.pid), file.read().split()[13:15]
        before = None
        for _ in range(100):
            self.assertIsNone(child.poll(), "it has ended")
            after = measure()
            if after == before:
                return
            before = after
            time.sleep(0.25)
        self.skipTest("it never rests")

    def scene(self, *mode, program=SCENE):
        child = self.start([program, *mode], preload=False)
        lines = []
        for line in child.stdout:
            if line == b"ready\n":
                time.sleep(0.2)  # until all wait in the kernel, where stack pointers show
                return child, dict(text.decode().rsplit(" ", 1) for text in lines)
            lines.append(line)
        self.fail("the program ended: %r" % lines)

    def check_exact(self, pid, *options):
        """All sums, and every mapping as the kernel has it; what moves is looked at again."""
        for _ in range(10):
            before, kernel_rss = smaps(pid), rollup(pid)
            report = self.look(pid, "--vma", *options)
            if smaps(pid) == before and rollup(pid) == kernel_rss:
                break
            time.sleep(0.3)
        else:
            self.skipTest("the program changed meanwhile")
        ledger, mappings = report["ledger"], report["mappings"]
        self.assertEqual(ledger["rss_bytes"], kernel_rss)
        self.assertEqual(ledger["drift_bytes"], 0)
        self.assertEqual(ledger["sum_bytes"], kernel_rss)
        self.assertEqual(sum(ledger["kinds"].values()), kernel_rss)
        self.assertEqual(sum(line["bytes"] for line in ledger["lines"]), kernel_rss)
        self.assertEqual([one["address"] for one in mappings], [one[0] for one in before])
        for mine, (address, fields) in zip(mappings, before):
            self.assertEqual(mine["Rss"], fields["Rss"], address)
            self.assertEqual(sum(line["bytes"] for line in mine["lines"]), fields["Rss"], address)
            for field in FIELDS:
                self.assertEqual(mine.get(field, 0), fields[field], (address, field))
        return report

    def lines(self, report, part):
        return sum(line["bytes"] for line in report["ledger"]["lines"] if part in line["name"])

    # Known memory.

    def check_scene(self, program):
        child, known = self.scene("memory", "gone", program=program)
        report = self.check_exact(child.pid)
        kinds = report["ledger"]["kinds"]
        exact = ("memfd:ring", "anonymous shared memory", "(deleted) shared", "no access",
                 "generated code")
        for part in exact + (("cache of mine",) if "cache of mine" in known else ()):
            self.assertEqual(self.lines(report, part), int(known[part]), part)
        self.assertEqual(self.lines(report, "SYSV"), int(known["SYSV"]))
        self.assertLess(abs(kinds["data"] - int(known["bss"])), 128 * KIB)
        self.assertLess(abs(self.lines(report, "malloc arenas") - int(known["malloc arenas"])),
                        512 * KIB)
        for i in range(3):
            stack = self.lines(report, "thread worker-%d" % i)
            self.assertTrue(256 * KIB <= stack < 300 * KIB, stack)
        # The kernel counts them by batches of 31 on each processor: the last ones may be to come.
        lazy = report["ledger"]["beside"]["lazy_free_bytes"]
        self.assertTrue(MIB - 31 * 4 * KIB * os.cpu_count() <= lazy <= MIB, lazy)
        self.assertEqual(report["threads"], 4)
        self.assertGreater(report["ledger"]["beside"]["page_table_bytes"], 0)
        self.assertGreaterEqual(report["ledger"]["beside"]["rss_peak_bytes"],
                                report["ledger"]["rss_bytes"] - 512 * KIB)
        return report

    def test_known_memory(self):
        self.check_scene(SCENE)

    def test_known_memory_of_a_static_program(self):
        report = self.check_scene(STATIC)
        self.assertEqual(self.lines(report, "libc.so"), 0)

    def test_own_memory_under_the_preload(self):
        child = self.start([SCENE, "sleep"])
        child.stdout.readline()
        child.send_signal(signal.SIGSTOP)
        harness.wait_until(lambda: state(child.pid) == "T", "its stop")
        report = self.check_exact(child.pid)
        names = [line["name"] for line in report["ledger"]["lines"] if line["kind"] == "heapdiff"]
        self.assertTrue(any("libheapdiff.so" in name for name in names), names)
        self.assertTrue(any(".heapdiff" in name for name in names), names)

    # Programs.

    def prepare(self, name):
        if name == "java":
            with open(self.path("Rest.java"), "w") as file:
                file.write(JAVA)
        if name == "go":
            self.build_go()
        if not shutil.which(PROGRAMS[name][0], path=os.environ["PATH"] + ":" + self.directory):
            if not os.path.exists(self.path(PROGRAMS[name][0])):
                self.skipTest("not installed")

    def build_go(self):
        if not shutil.which("go"):
            self.skipTest("no go")
        subprocess.run(["go", "build", "-o", self.path("half"), os.path.join(HERE, "programs/half.go")],
                       check=True, env=harness.environment(preload=False, HOME=self.directory,
                                                           GOFLAGS="-mod=mod", GO111MODULE="off"))

    def check_program(self, name):
        self.prepare(name)
        stdin = subprocess.PIPE if name in INPUT else subprocess.DEVNULL
        child = self.start(PROGRAMS[name], preload=False, stdin=stdin)
        self.at_rest(child)
        for options in ((), ("--exact",)):
            report = self.check_exact(child.pid, *options)
        self.assertTrue(report["ledger"]["stopped"])
        if name == "java":
            self.check_java(report)
        kinds = report["ledger"]["kinds"]
        self.assertIsNone(child.poll())
        print("\n%-14s %12d %12d %5d %6d %9d" % (
            name, report["ledger"]["rss_bytes"], report["ledger"]["sum_bytes"],
            report["ledger"]["drift_bytes"], kinds.get("unattributed", 0), kinds.get("anonymous", 0)),
            end=" ")

    def check_java(self, report):
        """Of its 40 arrays each page is written; the heap has little beside them."""
        heap = sum(line["bytes"] for line in report["ledger"]["lines"] if line["name"] == "Java heap")
        self.assertGreaterEqual(heap, 40 * MIB)
        self.assertLess(heap, 128 * MIB)
        self.assertTrue([line for line in report["ledger"]["lines"] if line["name"] == "Java code cache"])

    def test_postgres(self):
        """Its own user, shared memory, several processes."""
        programs = postgres.programs()
        if not programs or os.geteuid() != 0:
            self.skipTest("no postgres, or not root")
        shutil.chown(self.directory, "postgres")
        def run(name, *arguments):
            return ["setpriv", "--reuid=postgres", "--clear-groups", os.path.join(programs, name), *arguments]
        made = subprocess.run(run("initdb", "-D", "db", "-N"), cwd=self.directory, capture_output=True)
        if made.returncode != 0:
            self.skipTest("initdb: %s" % made.stderr[-200:])
        child = self.start(run("postgres", "-D", "db", "-k", self.directory, "-h", ""), preload=False)
        harness.wait_until(lambda: os.path.exists(self.path(".s.PGSQL.5432")), "postgres")
        self.at_rest(child)
        report = self.check_exact(child.pid, "--exact")
        self.assertGreater(self.lines(report, "shared memory"), 0)
        child.send_signal(signal.SIGINT)
        child.wait(20)
        print("\n%-14s %12d %12d %5d" % ("postgres", report["ledger"]["rss_bytes"],
                                         report["ledger"]["sum_bytes"],
                                         report["ledger"]["drift_bytes"]), end=" ")

    # Against a profile.

    def test_go_service_whose_profile_shows_half(self):
        self.build_go()
        child = self.start(["./half", "half.prof"], preload=False)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        time.sleep(1.2)
        report = self.look(child.pid, "--profile", self.path("half.prof"))
        gap, ledger = report["profile"], report["ledger"]
        self.assertTrue(gap["go"])
        self.assertFalse(gap["too_old"] or gap["other_program"])
        self.assertLess(abs(gap["named_bytes"] - 60 * MIB), 12 * MIB)  # it is sampled
        self.assertGreater(gap["unnamed_bytes"], 48 * MIB)
        self.assertTrue(1e9 < gap["age_ns"] < 60e9, gap["age_ns"])
        self.assertEqual(gap["covered_bytes"] + gap["unnamed_bytes"] + sum(gap["rest"].values()),
                         ledger["sum_bytes"])
        text = self.heapdiff("rss", "--exact", "--profile", self.path("half.prof"), str(child.pid))
        self.assertRegex(" ".join(text.split()),
                         r"the profile names [\d.]+ MiB of [\d.]+ MiB \(sampled\); it is [\d.]+ s old; the rest: "
                         r"[\d.]+ MiB of Go's heap that it does not name")
        print("\n" + text)

    def test_our_own_profile(self):
        child = self.start(["python3", "-c", said_ready("time.sleep(1000)")],
                           options="out=%s" % self.path("own.prof"))
        self.assertEqual(child.stdout.readline(), b"ready\n")
        self.snapshot_into(child)
        report = self.look(child.pid, "--profile", self.path("own.prof"))
        gap = report["profile"]
        self.assertFalse(gap["go"] or gap["too_old"] or gap["other_program"])
        self.assertGreater(gap["covered_bytes"], 0)
        self.assertEqual(gap["covered_bytes"] + gap["unnamed_bytes"] + sum(gap["rest"].values()),
                         report["ledger"]["sum_bytes"])

    def snapshot_into(self, child):
        child.send_signal(signal.SIGUSR1)
        harness.wait_until(lambda: os.path.exists(self.path("own.prof")), "its profile")

    def test_profiles_that_do_not_fit(self):
        child = self.start(["sleep", "1000"], preload=False)
        old = os.path.join(HERE, "../data/go_old.pb.gz")
        report = self.look(child.pid, "--profile", old)
        self.assertTrue(report["profile"]["too_old"] or report["profile"]["other_program"])
        self.assertGreater(report["profile"]["not_resident_bytes"], 0)
        self.assertIn("no such file", self.heapdiff("rss", "--profile", "nothing", str(child.pid),
                                                    status=1).lower())

    # Stopping.

    def test_thousand_threads_stop_and_go_on(self):
        child, _ = self.scene("threads")
        report = self.look(child.pid, "--exact")
        self.assertEqual(report["threads"], 1001)
        self.assertTrue(report["ledger"]["stopped"])
        self.assertNotIn("not_stopped_threads", report)
        self.assertGreater(self.lines(report, "thread rss"), 1000 * 4 * KIB)
        self.assertEqual(state(child.pid), "S")
        print("\n1001 threads stood still for %.1f ms" % (report["stopped_ns"] / 1e6), end=" ")

    def interrupted(self, mode):
        child = self.start([SCENE, mode], preload=False)
        child.stdout.readline()
        for _ in range(15):
            self.look(child.pid, "--exact")
        lines = child.stdout.read().decode().split("\n")
        self.assertEqual(lines[-2], "done")
        return set(lines[:-2])

    def test_sleep_is_not_interrupted(self):
        self.assertEqual(self.interrupted("sleep"), set())

    def test_epoll_wait_alone_may_be(self):
        self.assertLessEqual(self.interrupted("epoll"), {"epoll Interrupted system call"})

    def test_killed_while_it_holds_the_process(self):
        child, _ = self.scene("threads")
        for _ in range(10):
            command = subprocess.Popen([harness.COMMAND, "rss", "--exact", str(child.pid)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.02)
            command.kill()
            command.wait()
            harness.wait_until(lambda: state(child.pid) == "S", "it to go on")
        self.look(child.pid, "--exact")

    def test_a_stopped_process_stays_stopped(self):
        child, _ = self.scene()
        child.send_signal(signal.SIGSTOP)
        harness.wait_until(lambda: state(child.pid) == "T", "its stop")
        self.look(child.pid, "--exact")
        self.assertEqual(state(child.pid), "T")

    def test_first_thread_ended(self):
        child, _ = self.scene("leaderless")
        harness.wait_until(lambda: state(child.pid) == "Z", "the first thread's end")
        for options in ((), ("--exact",)):
            report = self.look(child.pid, *options)
            self.assertEqual(report["ledger"]["drift_bytes"], 0)
            self.assertGreater(self.lines(report, "malloc arenas"), 2 * MIB)

    # What cannot be looked at.

    def refused(self, *arguments, status=1):
        text = self.heapdiff("rss", *arguments, status=status)
        self.assertEqual(text.count("\n"), 1, text)
        return text

    def test_wrong_usage(self):
        self.assertIn("one PID", self.refused(status=2))
        self.assertIn("one PID", self.refused("1", "2", status=2))
        self.assertIn('not a PID: "x"', self.refused("x", status=2))
        self.assertIn("--profile", self.refused("--profile", status=2))
        self.assertIn("--nonsense", self.refused("--nonsense", "1", status=2))
        self.assertIn("not a unit", self.refused("--unit", "m", "1", status=2))
        self.assertIn("usage: heapdiff rss", self.heapdiff("rss", "--help"))

    def test_ended(self):
        child = subprocess.Popen(["true"])
        harness.wait_until(lambda: state(child.pid) == "Z", "its end")
        self.assertIn("zombie", self.refused(str(child.pid)))
        child.wait()
        self.assertIn("no such process", self.refused(str(child.pid)))

    def test_kernel_thread(self):
        try:
            with open("/proc/2/stat") as file:
                is_kernel = "kthreadd" in file.read()
        except FileNotFoundError:
            is_kernel = False
        if not is_kernel:
            self.skipTest("no kernel threads here")
        for options in ((), ("--exact",)):
            self.assertIn("kernel thread", self.refused(*options, "2"))

    @unittest.skipIf(os.geteuid() != 0, "not root")
    def test_another_user(self):
        child = self.start(["sleep", "1000"], preload=False)
        place = self.path("heapdiff")
        shutil.copy(harness.COMMAND, place)
        os.chmod(self.directory, 0o755)
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", place, "rss",
                               str(child.pid)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another user's (uid 0)", done.stderr)
        mine = self.start(["setpriv", "--reuid=65534", "--clear-groups", "sleep", "1000"],
                          preload=False)
        harness.wait_until(lambda: os.stat("/proc/%d" % mine.pid).st_uid == 65534, "its user")
        self.assertGreater(self.look(mine.pid)["ledger"]["rss_bytes"], 0)

    @unittest.skipIf(os.geteuid() != 0, "not root")
    def test_hidden(self):
        child = self.start(["sleep", "1000"], preload=False)
        place = self.path("heapdiff")
        shutil.copy(harness.COMMAND, place)
        os.chmod(self.directory, 0o755)
        script = ("mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid=65534 "
                  "--regid=65534 --clear-groups %s rss %d" % (place, child.pid))
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True,
                              text=True)
        if "mount" in done.stderr or "unshare" in done.stderr:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 1)
        self.assertIn("hides", done.stderr)

    @unittest.skipIf(os.geteuid() != 0, "not root")
    def test_not_allowed_to_stop(self):
        child = self.start(["sleep", "1000"], preload=False)
        done = subprocess.run(["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace",
                               harness.COMMAND, "rss", "--exact", str(child.pid)],
                              capture_output=True, text=True)
        if done.returncode == 0:
            self.skipTest("it is allowed without capabilities, too")
        self.assertIn("right to trace", done.stderr)

    def test_traced_by_another(self):
        if not shutil.which("strace"):
            self.skipTest("no strace")
        child = self.start(["sleep", "1000"], preload=False)
        strace = self.start(["strace", "-o", "/dev/null", "-p", str(child.pid)], preload=False)
        def traced():
            with open("/proc/%d/status" % child.pid) as file:
                return "TracerPid:\t%d\n" % strace.pid in file.read()
        harness.wait_until(traced, "strace")
        self.assertIn("process %d traces it" % strace.pid, self.refused("--exact", str(child.pid)))
        self.assertEqual(self.look(child.pid)["ledger"]["drift_bytes"], 0)


def add_programs():
    for name in PROGRAMS:
        def test(self, program=name):
            self.check_program(program)
        setattr(Rss, "test_program_%s" % name.replace("-", "_"), test)


add_programs()
if __name__ == "__main__":
    harness.main()
