"""`heapdiff export`: symbolized profiles that other tools read, names of C++ in full."""

import contextlib
import ctypes
import http.server
import json
import os
import re
import shutil
import subprocess
import threading

import harness

PROGRAM = """
#include <csignal>
#include <memory>
#include <string>
#include <vector>
#include <unistd.h>
namespace {
struct node { std::string name; };
std::vector<std::unique_ptr<node>> table;
__attribute__((noinline)) void fill(int count)
{
    for (int i = 0; i < count; i++) {
        auto made = std::make_unique<node>();
        made->name = std::string(1000, 'x');
        table.push_back(std::move(made));
    }
}
} // namespace
template <class Task> __attribute__((noinline)) void apply(Task task) { task(); }
char *kept[100];
int main()
{
    fill(100);
    kept[99] = new char[123456];
    raise(SIGUSR1);
    fill(200);
    apply([] { for (int i = 0; i < 50; i++) kept[i] = new char[2000]; });
    delete[] kept[99];
    raise(SIGUSR1);
    _exit(0);
}
"""

GO_PROGRAM = """
package main
import ("os"; "runtime"; "runtime/pprof")
var kept [][]byte
//go:noinline
func grow(count int) { for i := 0; i < count; i++ { kept = append(kept, make([]byte, 65536)) } }
func write(path string) { runtime.GC(); f, _ := os.Create(path); pprof.WriteHeapProfile(f); f.Close() }
func main() { runtime.MemProfileRate = 1; grow(10); write("old.pb.gz"); grow(20); write("new.pb.gz") }
"""


def go_pprof(directory, *arguments):
    """Without symbolizing: the names must be in the file."""
    environment = harness.environment(preload=False, HOME=directory, PPROF_TMPDIR=directory)
    return subprocess.run(["go", "tool", "pprof", "-symbolize=none", *arguments], timeout=100,
                          env=environment, capture_output=True, check=True, text=True).stdout


@contextlib.contextmanager
def debug_server(directory):
    """Serves the program of any build id as debuginfod does; (address, list of asked paths)."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            asked.append(path)
            found = re.fullmatch(r"/buildid/[0-9a-f]+/(executable|debuginfo)", path)
            return os.path.join(directory, found.group(1) if found else "nothing")

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:%d" % server.server_port, asked
    server.shutdown()
    server.server_close()


def top_rows(text):
    """{function: (flat, cum)} of pprof -top; percentages are of another total in a diff."""
    rows = [line.split(None, 5) for line in text.split("flat%   sum%")[1].splitlines()[1:]]
    return {row[5]: (row[0], row[3]) for row in rows}


class Cxx(harness.Case):
    def setUp(self):
        super().setUp()
        if not shutil.which("g++") or not shutil.which("go"):
            self.skipTest("no g++ or go")
        with open(self.path("leak.cc"), "w") as source:
            source.write(PROGRAM)
        subprocess.run(["g++", "-O2", "-g", "-o", "leak", "leak.cc"], cwd=self.directory, check=True)
        status, _, errors, _ = self.run_program(["./leak"])
        self.assertEqual(status, 0, errors)
        self.old, self.new = self.profiles()[:2]

    def export(self, form, *arguments, output="out"):
        self.heapdiff("export", "--format", form, "-o", self.path(output), *arguments)
        return self.path(output)

    def test_pprof_is_carried_without_the_program(self):
        path = self.export("pprof", self.new)
        again = self.export("pprof", path, output="again")
        os.rename(self.path("leak"), self.path("moved"))
        for exported in (path, again):
            text = go_pprof(self.directory, "-top", exported)
            for name in ("(anonymous namespace)::fill", "apply<", "operator new"):
                self.assertIn(name, text)
            text = go_pprof(self.directory, "-list", "main", exported)
            self.assertIn("leak.cc", text)
        self.assertIn("::fill", self.heapdiff("--top", path))

    def test_pprof_diffs(self):
        apart = go_pprof(self.directory, "-top", "-unit=b", "-base", self.export("pprof", self.old),
                         self.export("pprof", self.new, output="new"))
        ours = go_pprof(self.directory, "-top", "-unit=b",
                        self.export("pprof", "--base", self.old, self.new))
        self.assertEqual(top_rows(apart), top_rows(ours))
        self.assertIn("operator new", top_rows(ours))

    def test_collapsed(self):
        with open(self.export("collapsed", "--base", self.old, self.new)) as lines:
            rows = [line.rstrip("\n").rsplit(" ", 2) for line in lines]
        growth = {stack: int(new) - int(old) for stack, old, new in rows}
        lambdas = [stack for stack in growth if "apply<" in stack]
        self.assertEqual(sum(growth[stack] for stack in lambdas), 50 * 2000)
        self.assertIn("operator()", lambdas[0])
        fills = [stack for stack in growth if "(anonymous namespace)::fill" in stack]
        self.assertGreaterEqual(sum(growth[stack] for stack in fills), 200 * 1001)
        self.assertIn(-123456, growth.values())
        single = self.heapdiff("export", "--format", "collapsed", self.new)
        total = sum(int(line.rsplit(" ", 1)[1]) for line in single.splitlines())
        self.assertEqual(total, sum(int(new) for _, _, new in rows))

    def test_speedscope(self):
        for arguments, names in (([self.new], ["inuse_space"]),
                                 (["--base", self.old, self.new],
                                  ["inuse_space grown", "inuse_space shrunk"])):
            with open(self.export("speedscope", *arguments)) as file:
                content = json.load(file)
            frames = content["shared"]["frames"]
            self.assertEqual([one["name"] for one in content["profiles"]], names)
            for one in content["profiles"]:
                self.assertEqual(len(one["samples"]), len(one["weights"]))
                self.assertTrue(all(weight > 0 for weight in one["weights"]))
                self.assertEqual(sum(one["weights"]), one["endValue"])
                self.assertTrue(all(0 <= index < len(frames)
                                    for stack in one["samples"] for index in stack))
        fill = [frame for frame in frames if frame["name"].endswith("::fill")]
        self.assertTrue(fill and fill[0]["file"].endswith("leak.cc") and fill[0]["line"] > 0)

    def test_json_is_the_reports(self):
        with open(self.export("json", "--base", self.old, self.new)) as file:
            exported = json.load(file)
        self.assertEqual(exported, json.loads(self.heapdiff("--json", "--base", self.old, self.new)))

    def test_go_reads_the_strict_four(self):
        text = go_pprof(self.directory, "-raw", self.export("pprof-go", self.new))
        self.assertIn("alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes",
                      text)
        self.assertIn("PeriodType: space bytes", text)

    def test_bad_usage(self):
        for arguments in (["--format", "pprof"], [self.new], ["--format", "x", self.new],
                          ["--format", "pprof", "--nonsense", self.new],
                          ["--format", "pprof", self.new, self.old]):
            self.heapdiff("export", *arguments, status=2)
        for arguments in ([self.path("missing")], ["-o", "/nonexistent/out", self.new],
                          [self.path("leak")]):
            said = self.heapdiff("export", "--format", "pprof", *arguments, status=1)
            self.assertEqual(said.count("\n"), 1, said)
        self.assertIn("no sample type", self.heapdiff(
            "export", "--format", "collapsed", "--sample-index", "cpu", self.new, status=1))


    def collapsed(self, **more):
        done = self.run_program([harness.COMMAND, "export", "--format", "collapsed", self.new],
                                preload=False, more=more)
        self.assertEqual((done[0], done[2]), (0, ""))
        return done[1]

    def test_debuginfod(self):
        try:
            ctypes.CDLL("libdebuginfod.so.1")
        except OSError:
            self.skipTest("no libdebuginfod")
        os.rename(self.path("leak"), self.path("moved"))
        self.assertIn("leak+0x", self.collapsed())
        for kind in "executable", "debuginfo":
            os.mkdir(self.path(kind))
            shutil.copy(self.path("moved"), self.path(kind, kind))
            with debug_server(self.path(kind)) as (address, asked):
                text = self.collapsed(DEBUGINFOD_URLS=address,
                                      DEBUGINFOD_CACHE_PATH=self.path(kind, "cache"))
            self.assertIn("(anonymous namespace)::fill", text)
            self.assertNotIn("leak+0x", text)
            self.assertTrue([path for path in asked if path.endswith(kind)], asked)

    def test_another_build_is_not_used(self):
        with open(self.path("leak.cc"), "a") as source:
            source.write("int another() { return 1; }\n")
        subprocess.run(["g++", "-O1", "-g", "-o", "leak", "leak.cc"], cwd=self.directory, check=True)
        text = self.collapsed()
        self.assertIn("leak+0x", text)
        self.assertNotIn("fill", text)

    def test_debug_file_by_link(self):
        subprocess.run("objcopy --only-keep-debug leak leak.debug && "
                       "objcopy --strip-all --add-gnu-debuglink=leak.debug leak",
                       shell=True, cwd=self.directory, check=True)
        with open(self.export("json", self.new)) as file:
            frames = json.load(file)["frames"]
        fill = [frame for frame in frames if frame["function"] == "(anonymous namespace)::fill"]
        lines = PROGRAM.splitlines()
        self.assertTrue(fill)
        for frame in fill:
            self.assertTrue(frame["file"].endswith("/leak.cc"))
            self.assertRegex(lines[frame["line"] - 1], "make_unique|std::string|push_back")


class Go(harness.Case):
    """Go's own profiles and ours of the same shape, subtracted by old pprof."""

    def setUp(self):
        super().setUp()
        if not shutil.which("go"):
            self.skipTest("no go")
        with open(self.path("leak.go"), "w") as source:
            source.write(GO_PROGRAM)
        environment = harness.environment(preload=False, HOME=self.directory)
        subprocess.run(["go", "run", "leak.go"], cwd=self.directory, env=environment, check=True)
        self.old, self.new = self.path("old.pb.gz"), self.path("new.pb.gz")

    def test_mixes_with_gos(self):
        for form in ("pprof-go", "pprof"):
            exported = self.path("exported.pb.gz")
            self.heapdiff("export", "--format", form, "-o", exported, self.new)
            expected = go_pprof(self.directory, "-top", "-base", self.old, self.new)
            self.assertEqual(go_pprof(self.directory, "-top", "-base", self.old, exported), expected)
            self.assertEqual(go_pprof(self.directory, "-top", exported),
                             go_pprof(self.directory, "-top", self.new))

    def test_subtracts_gos(self):
        rows = self.heapdiff("export", "--format", "collapsed", "--base", self.old, self.new)
        growth = {line.rsplit(" ", 2)[0]: [int(value) for value in line.rsplit(" ", 2)[1:]]
                  for line in rows.splitlines()}
        before, after = growth["runtime.main;main.main;main.grow"]
        self.assertGreaterEqual(after - before, 20 * 65536)


if __name__ == "__main__":
    harness.main()
