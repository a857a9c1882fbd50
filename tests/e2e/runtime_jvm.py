"""Collections of a JVM, noticed by themselves: each collector's, against the JVM's own log of them."""

import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile

import harness
import runtime_machine as runtime

SOURCES = {
    "Sites.java": """
class Sites {
    static native void round(int round);
    static native void await(int count);
    static native void abort();

    static void load() {
        System.load(System.getenv("SITES"));
    }

    public static void main(String[] arguments) {
        load();
        int rounds = Integer.parseInt(arguments[0]);
        for (int i = 0; i < rounds; i++) {
            round(i);
            System.gc();
            await(i + 1);
        }
    }
}
""",
    "Churn.java": """
import java.util.Set;
import java.util.TreeSet;
import java.lang.management.ManagementFactory;

class Churn {
    static byte[][] keep;

    static void churn(int rounds) {
        for (int i = 0; i < rounds; i++) {
            for (int k = 0; k < 3000; k++) {
                byte[][] some = new byte[1000][];
                some[k % 1000] = new byte[10000];
                keep = some;
            }
            System.gc();
        }
    }

    static void threads() throws Exception {
        Set<String> names = new TreeSet<>();
        for (Thread thread : Thread.getAllStackTraces().keySet())
            names.add(thread.getName());
        Thread fresh = new Thread(() -> churn(1));
        System.out.println(Thread.activeCount() + " " + names + " " + fresh.getId() + " " + fresh.getName() + " "
            + ManagementFactory.getThreadMXBean().getTotalStartedThreadCount());
        fresh.start();
        fresh.join();
    }

    public static void main(String[] arguments) throws Exception {
        churn(5);
        threads();
        switch (arguments[0]) {
        case "exit": System.exit(7);
        case "halt": Runtime.getRuntime().halt(3);
        case "throw": throw new IllegalStateException("on purpose");
        case "abort": Sites.load(); Sites.abort();
        case "wait": System.out.println("ready"); System.out.flush(); Thread.sleep(100000);
        case "exec":
            for (int i = 0; i < 3; i++) {
                Process child = new ProcessBuilder("/bin/echo", "child " + i).inheritIO().start();
                System.out.println(child.waitFor());
                churn(1);
            }
        }
    }
}
"""}

COLLECTORS = ["Serial", "Parallel", "G1", "Z", "Shenandoah"]
MINOR = re.compile(r"GC\(\d+\) Pause Young")
# A concurrent cycle of G1's is a full one when its Remark is done; Z and Shenandoah have cycles alone.
FULL = re.compile(r"GC\(\d+\) (Pause Full|Pause Remark|Garbage Collection|Pause Final Mark|Pause Degenerated)")


class Jvm(runtime.Runtime):
    name = "jvm"

    @classmethod
    def setUpClass(cls):
        cls.classes = tempfile.mkdtemp(prefix="heapdiff-classes-")
        for name, text in SOURCES.items():
            with open(os.path.join(cls.classes, name), "w") as file:
                file.write(text)
        subprocess.run(["javac", *SOURCES], cwd=cls.classes, check=True)
        listed = subprocess.run(["java", "-XX:+PrintFlagsFinal", "-version"], stdout=subprocess.PIPE, check=True,
                                stderr=subprocess.DEVNULL).stdout.decode()
        cls.collectors = [name for name in COLLECTORS if "Use%sGC " % name in listed]

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.classes, ignore_errors=True)

    def java(self, collector, *arguments):
        """A command whose collections are logged to gc.log."""
        return ["java", "-XX:+Use%sGC" % collector, "-Xmx64m", "-cp", self.classes,
                "-Xlog:gc:file=%s::filecount=0" % self.path("gc.log"), *arguments]

    def logged(self):
        """Full and minor collections by the JVM's log: [(is full, MB used after, ms)]."""
        found = []
        with open(self.path("gc.log")) as file:
            for line in file:
                full = FULL.search(line)
                if not full and not MINOR.search(line):
                    continue
                after = re.search(r"->(\d+)M", line)
                pause = re.search(r"([\d.]+)ms$", line)
                found.append((bool(full), after and int(after[1]), pause and float(pause[1])))
        return found

    def check_counts(self):
        logged = self.logged()
        full = len([one for one in logged if one[0]])
        self.assertEqual(self.counts(), (full, len(logged) - full), self.lines)
        return full, len(logged) - full

    def test_counts_of_each_collector(self):
        for collector in self.collectors:
            with self.subTest(collector):
                self.check_same_as_plain(self.java(collector, "Churn", "end"))
                full, minor = self.check_counts()
                self.assertGreaterEqual(full, 6)
                if collector in ("Serial", "Parallel", "G1"):
                    self.assertGreaterEqual(minor, 6)
                self.assertEqual((self.state()["state"], self.state()["truth"]), ("watched", "totals"))
                self.assertTrue(self.state()["version"].startswith(self.version()))
                self.check_figures(collector)

    def version(self):
        line = self.run_program(["java", "-version"], preload=False)[2].splitlines()[1]
        return re.search(r"build (\d+[.\d]*)", line)[1]

    def check_figures(self, collector):
        """What is said of a collection is what the log has: used after it, to 1 MB, and its pause."""
        logged = self.logged()
        for entry in self.history():
            self.assertEqual((entry["source"], entry["truth"]), ("jvm", "totals"))
            self.assertNotIn("before", entry)
            self.assertNotIn("goal", entry)
            if collector in ("Z", "Shenandoah"):
                self.assertNotIn("after", entry)
            full = entry["kind"] == "full"
            if "after" in entry:
                near = [after for kind, after, _ in logged
                        if kind == full and abs(after - int(entry["after"]) / (1 << 20)) < 2.1]
                self.assertTrue(near, (entry, logged))
            if "pause_ns" in entry and collector != "Z":
                near = [ms for kind, _, ms in logged
                        if kind == full and ms and abs(ms - int(entry["pause_ns"]) / 1e6) < 1 + ms / 2]
                self.assertTrue(near, (entry, logged))

    def test_leak_by_jni(self):
        for collector in self.collectors:
            with self.subTest(collector):
                trace = {"SITES": runtime.SITES, "SITES_TRACE": self.path("trace.txt")}
                done = self.run_recorded(self.java(collector, "Sites", str(runtime.ROUNDS)), more=trace)
                self.assertEqual(done[:3], (0, "", ""))
                self.assertEqual(self.counts()[0], runtime.ROUNDS)
                self.check_leak()

    def test_concurrent_cycles_of_g1(self):
        arguments = self.java("G1", "-XX:+ExplicitGCInvokesConcurrent", "Churn", "end")
        self.assertEqual(self.run_recorded(arguments)[0], 0)
        full, _ = self.check_counts()
        self.assertGreaterEqual(full, 5)
        self.assertIn("concurrent cycle", {entry["reason"] for entry in self.history()})

    def test_ends(self):
        more = {"SITES": runtime.SITES}
        for how, status in (("exit", 7), ("halt", 3), ("throw", 1)):
            plain = self.check_same_as_plain(self.java("Serial", "Churn", how))
            self.assertEqual(plain[0], status)
            self.check_counts()
        crash = self.java("Serial", "-XX:-CreateCoredumpOnCrash", "-XX:ErrorFile=/dev/null", "Churn", "abort")
        self.assertEqual(self.run_program(crash, preload=False, more=more)[0], -6)
        self.assertEqual(self.run_recorded(crash, more=more)[0], -6)

    def test_sigterm(self):
        child = self.start(self.java("Serial", "Churn", "wait"), "trace=" + self.path("trace.txt"))
        for line in child.stdout:
            if line == b"ready\n":
                break
        self.check_threads(child)
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(20), 143)
        self.profile = runtime.Profile(self.profiles("java.*.prof")[-1]).check()
        with open(self.path("trace.txt")) as file:
            self.lines = file.read().splitlines()
        self.check_counts()

    def check_threads(self, child):
        """A report counts the program's: not the one of ours that looks at the counters."""
        for _ in range(20):
            before = len(os.listdir("/proc/%d/task" % child.pid))
            path = self.snapshot(child, len(self.profiles("java.%d.*.prof" % child.pid)) + 1)
            if len(os.listdir("/proc/%d/task" % child.pid)) == before:  # none came or went
                break
        self.assertEqual(int(runtime.Profile(path).facts["threads"]), before - 1)

    def test_exec_of_children(self):
        plain = self.check_same_as_plain(self.java("Serial", "Churn", "exec"))
        self.assertIn("child 2\n", plain[1])

    def test_embedded(self):
        library = glob.glob(os.path.join(os.path.dirname(os.path.realpath(shutil.which("java"))),
                                         "../lib/server/libjvm.so"))[0]
        plain = self.check_same_as_plain([harness.helper("runtime_embed"), library, "3"])
        self.assertEqual(plain[:2], (0, "destroyed 0\n"))
        self.assertEqual(self.counts()[0], 3)

    def test_turned_off_and_refused(self):
        self.check_turned_off(self.java("Serial", "Churn", "end"))
        done = self.run_recorded(self.java("Serial", "-XX:-UsePerfData", "Churn", "end"))
        self.assertEqual((done[0], self.lines, self.state()["state"]), (0, [], "refused"))


if __name__ == "__main__":
    if not shutil.which("javac"):
        harness.skip("no JDK")
    harness.main()
