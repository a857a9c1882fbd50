"""The ledger of memory in known shapes: what malloc_trim() returns, whose pages are whose; and of services, at rest and busy."""

import json
import os
import shutil
import signal
import subprocess
import time

import harness
from ledger import Case, UNATTRIBUTED_MAX

PROGRAM = harness.helper("memory")
PAGE, KIB, MIB = 4096, 1024, 1 << 20
TRIM_PART = 0.03
TRIM_LEAST = 64 * KIB  # where next to nothing is returned
OTHER_ALLOCATION_BYTES = 256 * KIB  # what libc and the program's start have allocated
LIBRARIES = 60
LOOKS_MAX = 20
SNAPSHOTS = 3  # of each busy program

CGO = """
package main
/*
#include <stdlib.h>
#include <string.h>
static void *take(int n) { void *p = malloc(n); memset(p, 1, n); return p; }
*/
import "C"
import "os"
import "time"
var kept [][]byte
func main() {
	for i := 0; i < 30000; i++ { C.take(500); kept = append(kept, make([]byte, 700)) }
	recent := map[int][]byte{}
	for i := 0; len(os.Args) > 1; i++ { recent[i%50000] = make([]byte, i%2000); C.free(C.take(C.int(i%3000 + 1))) }
	time.Sleep(1000 * time.Second)
}
"""
BOEHM = """
#include <gc.h>
#include <unistd.h>
struct node { struct node *left, *right; char rest[40]; };
static struct node *tree(int depth)
{
    struct node *node = GC_MALLOC(sizeof *node);
    if (depth > 0) { node->left = tree(depth - 1); node->right = tree(depth - 1); }
    return node;
}
int main(int count, char **arguments)
{
    GC_INIT();
    struct node *kept = tree(17);
    while (count > 1 && arguments) tree(14);
    for (;;) sleep(1000);
    return kept->rest[0];
}
"""
JAVA = """
import java.util.*;
public class Busy {
    public static void main(String[] arguments) throws Exception {
        List<Object> kept = new ArrayList<>();
        for (int i = 0; i < 400000; i++) kept.add(new byte[50]);
        Random random = new Random(1);
        while (arguments.length > 0) kept.set(random.nextInt(kept.size()), new byte[random.nextInt(300)]);
        Thread.sleep(1000000);
    }
}
"""
NODE = """
let kept = [], count = 0;
function step() {
    for (let i = 0; i < 20000; i++) kept[count++ % 300000] = {count, bytes: Buffer.alloc(50)};
    if (process.argv.length > 2) setImmediate(step);
}
step(); setInterval(() => 0, 1e6);
"""
PYTHON = """
import random, sys, time
kept, draw = {}, random.Random(1)
while True:
    for i in range(100000): kept[draw.randrange(200000)] = "x" * draw.randrange(2000)
    if len(sys.argv) < 2: time.sleep(1000)
"""


class Trim(Case):
    """malloc_trim() is called, and the kernel asked what it has returned."""

    PROGRAM = PROGRAM

    def check_shape(self, shape):
        said, ledger = self.known(shape)
        self.assertNotIn("trim_is_limit", ledger.facts)
        foretold, returned = int(ledger.facts.get("trim_bytes", 0)), said["returned"]
        print("%s: foretold %d, returned %d" % (shape, foretold, returned), end=" ")
        self.assertLessEqual(abs(foretold - returned), max(TRIM_PART * returned, TRIM_LEAST))

    def test_without_caches_of_threads(self):
        status, output, errors, _ = self.run_program([PROGRAM, "top"], "final=off",
                                                     more={"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"})
        self.assertEqual(status, 0, errors)
        ledger = self.ledger()
        returned = int(output.split()[1])
        self.assertEqual(ledger.facts["trim_is_limit"], "1")  # nobody has found any
        self.assertLessEqual(returned, int(ledger.facts["trim_bytes"]))
        self.assertIn("malloc_trim would return at most ", self.heapdiff(self.path("ledger.prof")))


def add_shapes():
    for shape in ("fast", "few", "top", "large", "mapped", "partly", "pages", "mixed", "aligned", "shrunk",
                  "trimmed", "alive", "ended"):
        def test(self, shape=shape):
            self.check_shape(shape)
        setattr(Trim, "test_" + shape, test)


class Pages(Case):
    PROGRAM = PROGRAM

    def stacks(self, ledger):
        return {leaf: count for (root, leaf), count in ledger.lines.items() if root == "[stacks]"}

    def test_arenas_of_threads(self):
        said, ledger = self.known("arenas", drift=None)
        self.assertEqual(ledger.sites["in_arena"]["live"], said["in_arena"])

    def test_a_thousand_threads(self):
        said, ledger = self.known("crowd", drift=None)
        self.assertGreaterEqual(self.stacks(ledger)["[stack: thread one of many]"], said["stacks"])

    def test_ended_threads_without_guards(self):
        said, ledger = self.known("unguarded")
        self.assertGreaterEqual(self.stacks(ledger)["[stack: ended thread]"], said["stacks"])
        self.assertLessEqual(ledger.sums["[unattributed]"], 2 * PAGE)

    def test_a_mapping_that_is_one_with_the_heap(self):
        said, ledger = self.known("beside")
        self.assertEqual(ledger.sites["map_beside"]["mapped"], said["map_beside"])
        self.assertLess(ledger.sums["live"] + ledger.sums["pinned"] + ledger.sums["[allocator: metadata]"],
                        OTHER_ALLOCATION_BYTES)

    def test_many_libraries(self):
        """What the loader knows of each lies in memory that it has taken before there was a malloc()."""
        if not shutil.which("cc"):
            self.skipTest("no compiler")
        with open(self.path("empty.c"), "w") as file:
            file.write("#include <signal.h>\nint main(void) { return raise(SIGUSR1); }\n")
        with open(self.path("library.c"), "w") as file:
            file.write("int in_a_library;\n")
        subprocess.run(["cc", "-c", "-fPIC", "library.c"], cwd=self.directory, check=True)
        names = ["many%d" % i for i in range(LIBRARIES)]
        for name in names:
            subprocess.run(["cc", "-shared", "-o", "lib%s.so" % name, "-Wl,-soname,lib%s.so" % name, "library.o"],
                           cwd=self.directory, check=True)
        subprocess.run(["cc", "-o", "many", "empty.c", "-L.", "-Wl,--no-as-needed",
                        "-Wl,-rpath," + self.directory, *("-l" + name for name in names)],
                       cwd=self.directory, check=True)
        status, _, errors, _ = self.run_program([self.path("many")], "final=off")
        self.assertEqual(status, 0, errors)
        ledger = self.ledger(self.profile())
        self.assertGreater(ledger.lines["[data]", "[data: link maps]"], LIBRARIES * KIB)
        self.assertLessEqual(ledger.sums["[unattributed]"], UNATTRIBUTED_MAX / 2)


class Services(Case):
    """Programs that go on: at rest and busy, all but 64 KiB of each is somebody's."""

    def look(self, child, name):
        before = set(self.profiles())
        os.kill(child.pid, signal.SIGUSR1)
        harness.wait_until(lambda: set(self.profiles()) - before, "profile")
        path, = set(self.profiles()) - before
        ledger = json.loads(self.heapdiff("--json", "--top", "1", path))["profile"]["ledger"]
        unattributed = ledger["kinds"].get("unattributed", 0)
        print("\n%-12s rss %d sum %d drift %d unattributed %d" % (
            name, ledger["rss_bytes"], ledger["sum_bytes"], ledger["drift_bytes"], unattributed), end=" ")
        self.assertEqual(ledger["source"], "pagemap_scan")
        self.assertEqual(ledger["sum_bytes"], sum(ledger["kinds"].values()))
        self.assertEqual(ledger["rss_bytes"], ledger["sum_bytes"] + ledger["drift_bytes"])
        self.assertLessEqual(unattributed, UNATTRIBUTED_MAX)
        return ledger

    def at_rest(self, child, name):
        """Sooner or later nothing runs, and nothing drifts."""
        for _ in range(LOOKS_MAX):
            if self.look(child, name)["drift_bytes"] == 0:
                return
            time.sleep(0.5)
        self.fail("drift in each look")

    def check(self, *arguments, name=None, wait=1.0):
        if not shutil.which(arguments[0]):
            self.skipTest(arguments[0])
        name = name or os.path.basename(arguments[0])
        for more in ((), ("busy",)):
            child = self.start([*arguments, *more], "final=off,only=" + name)
            time.sleep(wait)
            if not more:
                self.at_rest(child, name)
            for _ in range(SNAPSHOTS if more else 0):
                self.look(child, " ".join((name, *more)))
            self.assertIsNone(child.poll())
            child.kill()
            child.communicate()

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def test_python3(self):
        self.write("busy.py", PYTHON)
        self.check("/usr/bin/python3", "busy.py", name="python3")

    def test_node(self):
        self.write("busy.js", NODE)
        self.check("node", "busy.js")

    def test_java(self):
        if not shutil.which("javac"):
            self.skipTest("no javac")
        self.write("Busy.java", JAVA)
        subprocess.run(["javac", "Busy.java"], cwd=self.directory, check=True)
        self.check("java", "-Xmx256m", "-cp", ".", "Busy")

    def test_cgo(self):
        if not shutil.which("go") or not shutil.which("gcc"):
            self.skipTest("no go")
        self.write("main.go", CGO)
        subprocess.run(["go", "build", "-o", "service", "main.go"], check=True, cwd=self.directory,
                       env=harness.environment(preload=False, HOME=self.directory, GO111MODULE="off"))
        self.check(self.path("service"))

    def test_boehm(self):
        self.write("collected.c", BOEHM)
        built = subprocess.run(["cc", "-O1", "-o", "collected", "collected.c", "-lgc"], cwd=self.directory,
                               capture_output=True)
        if built.returncode != 0:
            self.skipTest("no libgc")
        self.check(self.path("collected"))

    def test_redis(self):
        if not shutil.which("redis-server") or not shutil.which("redis-benchmark"):
            self.skipTest("no redis")
        child = self.start(["redis-server", "--port", "0", "--unixsocket", "redis.sock", "--save", ""], "final=off")
        harness.wait_until(lambda: os.path.exists(self.path("redis.sock")), "socket")
        time.sleep(0.5)
        self.at_rest(child, "redis")
        load = self.start(["redis-benchmark", "-s", "redis.sock", "-t", "set", "-r", "100000", "-d", "200", "-n",
                           "2000000", "-q"], preload=False)
        time.sleep(0.5)
        for _ in range(SNAPSHOTS):
            self.look(child, "redis busy")
        load.kill()


add_shapes()
if __name__ == "__main__":
    harness.main()
