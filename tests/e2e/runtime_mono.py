"""Collections of Mono's sgen, noticed by themselves, against its own log of them."""

import os
import re
import shutil
import signal
import subprocess
import tempfile

import harness
import runtime_machine as runtime
from ledger import Ledger

SOURCE = """
using System;
using System.Runtime.InteropServices;
using System.Threading;

class Program {
    [DllImport("SITES")] static extern void sites_round(int round);
    [DllImport("SITES")] static extern void sites_churn(int count);
    [DllImport("SITES")] static extern void sites_abort();
    public static object keep;

    static void Churn(int rounds) {
        for (int i = 0; i < rounds; i++) {
            var some = new object[2000];
            for (int k = 0; k < 2000; k++)
                some[k] = new byte[3000];
            keep = some;
            if (i % 4 == 3)
                GC.Collect();
        }
    }

    static int Main(string[] arguments) {
        switch (arguments[0]) {
        case "churn":
            Churn(20);
            Console.WriteLine("minor {0} major {1}", GC.CollectionCount(0), GC.CollectionCount(1));
            break;
        case "leak":
            for (int i = 0; i < ROUNDS; i++) {
                sites_round(i);
                GC.Collect();
            }
            break;
        case "threads":
            var threads = new Thread[4];
            for (int i = 0; i < 4; i++) {
                threads[i] = new Thread(() => { for (int k = 0; k < 40; k++) sites_churn(5000); });
                threads[i].Start();
            }
            Churn(60);
            foreach (var thread in threads)
                thread.Join();
            Console.WriteLine("joined");
            break;
        case "exit": Churn(4); Environment.Exit(7); break;
        case "throw": Churn(4); throw new InvalidOperationException("on purpose");
        case "abort": Churn(4); sites_abort(); break;
        case "child":
            Churn(4);
            System.Diagnostics.Process.Start("/bin/echo", "child").WaitForExit();
            break;
        case "wait": Churn(4); Console.WriteLine("ready"); Thread.Sleep(100000); break;
        }
        return 0;
    }
}
"""


class Mono(runtime.Runtime):
    name = "mono"

    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp(prefix="heapdiff-mono-")
        cls.program = os.path.join(cls.place, "program.exe")
        with open(os.path.join(cls.place, "program.cs"), "w") as file:
            file.write(SOURCE.replace("SITES", runtime.SITES).replace("ROUNDS", str(runtime.ROUNDS)))
        subprocess.run(["mcs", "-r:System.dll", "-out:" + cls.program, file.name], check=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.place, ignore_errors=True)

    def mono(self, *arguments):
        return ["mono", self.program, *arguments]

    def logging(self):
        return {"MONO_LOG_LEVEL": "debug", "MONO_LOG_MASK": "gc", "MONO_LOG_DEST": self.path("gc.log")}

    def logged(self):
        """(full, minor) collections by Mono's log."""
        with open(self.path("gc.log")) as file:
            text = file.read()
        os.unlink(self.path("gc.log"))
        return len(re.findall(r"GC_MAJOR:|CONCURRENT_FINISH", text)), len(re.findall("GC_MINOR:", text))

    def test_counts(self):
        done = self.run_recorded(self.mono("churn"), more=self.logging())
        self.assertEqual(done[0], 0)
        minor, major = map(int, re.findall(r"\d+", done[1]))
        self.assertEqual(self.counts(), self.logged())
        self.assertGreaterEqual(self.counts()[0], max(major, 5))
        self.assertGreaterEqual(self.counts()[1] + 1, minor)
        version = subprocess.run(["mono", "--version"], stdout=subprocess.PIPE, check=True).stdout.decode()
        state = self.state()
        self.assertIn("version " + state["version"], version)
        self.assertEqual((state["state"], state["truth"]), ("watched", "totals"))
        self.check_maps(self.profile)
        for entry in self.history():
            self.assertEqual((entry["source"], entry["truth"]), ("mono", "totals"))
            self.assertTrue({"before", "after", "goal"}.isdisjoint(entry), entry)
        self.assertGreaterEqual(len([entry for entry in self.history() if "pause_ns" in entry]), 5)

    def check_maps(self, profile):
        """What the collector maps while it has stopped the world is recorded when that goes on."""
        self.assertLess(int(profile.facts["lost_nested_events"]), 20)
        self.assertLess(Ledger(profile).sums["[unattributed]"], 1 << 20)

    def test_leak_by_pinvoke(self):
        self.check_same_as_plain(self.mono("leak"))
        self.assertIn(self.counts()[0] - runtime.ROUNDS, (0, 1))  # one more, at the end, is Mono's own
        self.check_leak(self.counts()[0])

    def test_native_threads_meanwhile(self):
        for _ in range(3):
            self.check_same_as_plain(self.mono("threads"))
            self.assertGreaterEqual(self.counts()[0], 15)

    def test_ends(self):
        for how, status in (("exit", 7), ("throw", 1), ("child", 0)):
            plain = self.run_program(self.mono(how), preload=False)
            self.assertEqual(plain[0], status)
            done = self.run_recorded(self.mono(how), more=self.logging())
            self.assertEqual(done[:2], plain[:2])
            self.assertEqual(self.counts(), self.logged())
        self.assertEqual(self.run_program(self.mono("abort"), preload=False)[0], -6)
        self.assertEqual(self.run_recorded(self.mono("abort"))[0], -6)
        child = self.start(self.mono("wait"), "trace=" + self.path("trace.txt"))
        self.assertEqual(child.stdout.readline(), b"ready\n")
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(20), -15)

    def test_turned_off(self):
        self.check_turned_off(self.mono("churn"))


if __name__ == "__main__":
    if not shutil.which("mono") or not shutil.which("mcs"):
        harness.skip("no mono")
    harness.main()
