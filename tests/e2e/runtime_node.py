"""Collections of node's JavaScript engines, noticed by themselves, against V8's own log of them."""

import os
import re
import shutil
import signal
import subprocess

import harness
import runtime_machine as runtime

CHURN = """
function churn(rounds) {
    let keep = [];
    for (let round = 0; round < rounds; round++) {
        let some = [];
        for (let i = 0; i < 40000; i++) some.push({x: i, y: [i]});
        keep = [keep[1], some];
        gc();
    }
}
"""

SCRIPTS = {
    "churn.js": CHURN + """
const ours = name => name != 'LD_PRELOAD' && name != 'HEAPDIFF';
churn(5);
console.log(process.execArgv, Object.keys(process.env).filter(ours).sort(), Object.keys(require.cache).length);
""",
    "workers.js": CHURN + """
const {Worker, isMainThread} = require('worker_threads');
churn(4);
if (isMainThread) {
    let left = 3;
    for (let i = 0; i < 3; i++)
        new Worker(__filename).on('exit', () => { if (--left == 0) process.exitCode = 3; });
}
""",
    "leak.js": "const {round} = require('./sites.node');\n"
               "for (let i = 0; i < %d; i++) { round(); gc(); }\n" % runtime.ROUNDS,
    "ends.js": CHURN + """
churn(2);
switch (process.argv[2]) {
case 'exit': process.exit(5);
case 'throw': throw new Error('on purpose');
case 'abort': process.abort();
case 'child':
    console.log(require('child_process').execFileSync('/bin/echo', ['child']).toString());
    break;
case 'wait':
    console.log('ready');
    setTimeout(() => {}, 100000);
}
""",
}


class Node(runtime.Runtime):
    name = "node"

    @classmethod
    def setUpClass(cls):
        cls.version = subprocess.run(["node", "-p", "process.versions.v8 + ' ' + process.versions.node"], check=True,
                                     stdout=subprocess.PIPE).stdout.decode().split()

    def setUp(self):
        super().setUp()
        for name, text in SCRIPTS.items():
            with open(self.path(name), "w") as file:
                file.write(text)

    def node(self, *arguments):
        return ["node", "--expose-gc", *arguments]

    def logged(self, output):
        """[(isolate, is full, MB before, MB after, ms)] of the lines of --trace-gc."""
        return [(line[1], "Mark" in line[2], float(line[3]), float(line[4]), float(line[5]))
                for line in re.finditer(r"^\[\d+:(\w+)\].*?: ([\w -]+?) (?:\([a-z ]+\) )?([\d.]+) \([\d.]+\) -> "
                                        r"([\d.]+) \([\d.]+\) MB, ([\d.]+) /", output, re.MULTILINE)]

    def check_counts(self, output):
        """Every full collection is there; a scavenge of an isolate's may come while node itself starts, which
        no snapshot spares it in Debian's.
        """
        logged = self.logged(output)
        isolates = len({one[0] for one in logged})
        full = len([one for one in logged if one[1]])
        self.assertEqual(self.counts()[0], full, (self.lines, output))
        self.assertLessEqual(self.counts()[1], len(logged) - full)
        early = 0 if int(self.version[1].split(".")[0]) >= 20 else isolates
        self.assertGreaterEqual(self.counts()[1], len(logged) - full - early)
        return logged

    def test_counts_and_figures(self):
        done = self.run_recorded(self.node("--trace-gc", "churn.js"))
        self.assertEqual(done[0], 0)
        logged = self.check_counts(done[1])
        self.assertGreaterEqual(self.counts()[0], 5)
        self.assertEqual(self.state(), {"name": "node", "version": self.version[0], "truth": "totals",
                                        "state": "watched"})
        entries = self.history()
        for entry, (_, full, before, after, ms) in zip(entries, logged[-len(entries):]):
            self.assertEqual(entry["kind"], "full" if full else "minor")
            self.assertLess(abs(int(entry["before"]) / (1 << 20) - before), 2, entry)
            self.assertLess(abs(int(entry["after"]) / (1 << 20) - after), 2, entry)
            self.assertGreater(int(entry["pause_ns"]) / 1e6, ms / 2, entry)  # and what the machine does beside
            self.assertEqual((entry["source"], entry["truth"]), ("node", "totals"))
        self.assertIn("forced", {entry["reason"] for entry in entries})

    def test_same_as_plain(self):
        self.check_same_as_plain(self.node("churn.js"))
        self.check_same_as_plain(self.node("-e", SCRIPTS["churn.js"]))
        self.assertGreaterEqual(self.counts()[0], 5)

    def test_workers(self):
        done = self.run_recorded(self.node("--trace-gc", "workers.js"))
        self.assertEqual(done[0], 3)
        self.check_counts(done[1])
        self.assertGreaterEqual(self.counts()[0], 16)

    def test_leak_by_an_addon(self):
        shutil.copy(runtime.SITES, self.path("sites.node"))
        self.check_same_as_plain(self.node("leak.js"))
        self.assertEqual(self.counts()[0], runtime.ROUNDS)
        self.check_leak()

    def test_ends(self):
        for how, status in (("exit", 5), ("throw", 1), ("child", 0)):
            plain = self.check_same_as_plain(self.node("ends.js", how))
            self.assertEqual(plain[0], status)
            self.assertGreaterEqual(self.counts()[0], 2)
        self.assertEqual(self.run_recorded(self.node("ends.js", "abort"))[0], -6)
        child = self.start(self.node("ends.js", "wait"), "trace=" + self.path("trace.txt"))
        self.assertEqual(child.stdout.readline(), b"ready\n")
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(20), -15)

    def test_turned_off(self):
        self.check_turned_off(self.node("churn.js"))


if __name__ == "__main__":
    if not shutil.which("node"):
        harness.skip("no node")
    os.environ.pop("NODE_OPTIONS", None)
    harness.main()
