"""Collections of CPython: Debian's python3, an embedding program, threads, forks, subinterpreters."""

import os
import shutil

import runtime

PYTHON = runtime.need("python3")

COUNT = "print(gc.get_stats()[2]['collections'])\n"


class Python(runtime.Case):
    def script(self, text, *options, settings="", more=None):
        """Runs it both ways; its last line of output as a number, and the full collections that were noticed. The
        interpreter makes one more as it ends."""
        output = self.both([PYTHON, *options, "-c", "import gc\n" + text], settings, more)
        return int(output.split()[-1]), self.full("python")

    def test_count(self):
        count, found = self.script("for i in range(20): gc.collect()\ngc.collect(0)\ngc.collect(1)\n" + COUNT)
        self.assertEqual((count, len(found)), (20, 21))
        self.assertEqual({entry["truth"] for entry in found}, {"totals"})
        self.assertTrue(all(int(entry["pause_ns"]) > 0 for entry in found))
        said = self.runtime("python")
        self.assertEqual(said["state"], "watched")
        self.assertRegex(said["version"], r"^3\.\d+\.\d+")

    def test_collections_of_its_own(self):
        text = "kept = []\nfor i in range(400000): kept.append([i])\n"
        count, found = self.script(text + COUNT)
        self.assertGreater(count, 1)
        self.assertEqual(len(found), count + 1)
        self.assertRegex(found[0]["reason"], r"^after \d+ minor$")

    def test_malloc_is_exact(self):
        """... and what is live by our own books is what there was before a collection. Of the interpreter's own
        allocator no such figure is known.
        """
        text = "gc.collect()\nx = [bytes(1000000)]\nx.append(x)\ndel x\ngc.collect()\n" + COUNT
        _, found = self.script(text, more={"PYTHONMALLOC": "malloc"})
        self.assertEqual({entry["truth"] for entry in found}, {"exact"})
        self.assertEqual(self.runtime("python")["truth"], "exact")
        freed = [int(entry["before"]) - int(entry["after"]) for entry in found]
        self.assertTrue(1000000 <= freed[1] < 1010000, freed)
        self.assertTrue(all("rss_before" in entry for entry in found))
        _, found = self.script(text)
        self.assertEqual(self.runtime("python")["truth"], "totals")
        self.assertFalse([entry for entry in found if "before" in entry or "after" in entry])
        _, found = self.script(text, settings="sample=10000", more={"PYTHONMALLOC": "malloc"})
        self.assertEqual(({entry["truth"] for entry in found}, self.runtime("python")["truth"]),
                         ({"sampled"}, "sampled"))

    def test_turned_off(self):
        for settings in ("runtimes=none", "runtimes=boehm+lua"):
            _, found = self.script("gc.collect()\n" + COUNT, settings=settings)
            self.assertEqual(found, [])
        self.assertEqual(self.marks(), 0)

    def test_in_the_middle_of_an_import(self):
        """What the interpreter notes while it waits for a module's lock is not touched by an import of ours."""
        text = """import sys, _thread
from importlib import _bootstrap
notes, own = _bootstrap._blocking_on, _thread.get_ident()
if sys.version_info < (3, 12): notes[own] = notes
for i in range(100): bytearray(1 << 20)
print(sys.version_info >= (3, 12) or notes.pop(own) is notes)
for i in range(100): [bytes(1 << 20), [0] * (1 << 17), "x" * (1 << 20), (0,) * (1 << 17)]
import gc
for i in range(3): gc.collect()"""
        self.assertEqual(self.both([PYTHON, "-c", text], "sample=4m", {"PYTHONMALLOC": "malloc"}), "True\n")
        self.assertGreaterEqual(len(self.full("python")), 3)

    def test_nothing_to_see(self):
        """The program finds gc.callbacks as it left it, and nothing of ours among its objects."""
        self.script("print(gc.callbacks, [x for x in gc.get_objects() if getattr(x, '__name__', '') == 'collected' or type(x).__name__ == 'PyCapsule'])\n"
                    "print([type(x) for x in gc.get_referrers(gc.callbacks)], sorted(vars(gc)))\n"
                    "print(gc.get_count()[2], gc.get_threshold())\n" + COUNT)

    def test_callbacks_of_its_own(self):
        """... which are called as ever, also when they are taken out, and when they fail."""
        count, found = self.script(
            "seen = []\ndef hear(phase, info): seen.append((phase, info['generation'], info['collected']))\n"
            "def fail(phase, info): raise ValueError(phase)\n"
            "gc.collect()\ngc.callbacks.append(hear)\ngc.collect()\ngc.callbacks.insert(0, fail)\ngc.collect(1)\n"
            "gc.callbacks.clear()\ngc.collect()\ngc.callbacks[:] = [hear]\ngc.collect()\nprint(seen)\n" + COUNT)
        self.assertEqual(len(found), count + 1)

    def test_disabled_and_frozen(self):
        count, found = self.script("gc.disable()\nkept = [[i] for i in range(300000)]\n" + COUNT)
        self.assertEqual((count, len(found)), (0, 1 if self.ends_with_a_collection() else 0))
        count, found = self.script("gc.freeze()\ngc.collect()\ngc.collect()\ngc.unfreeze()\ngc.collect()\n" + COUNT)
        self.assertEqual((count, len(found)), (3, 4))

    def ends_with_a_collection(self):
        return any(entry["kind"] == "full" for entry in self.collections())

    def test_threads(self):
        count, found = self.script(
            "import threading\ndef work():\n for i in range(25): gc.collect(); x = [[]] * 100\n"
            "threads = [threading.Thread(target=work) for i in range(4)]\n"
            "[t.start() for t in threads]\n[t.join() for t in threads]\n" + COUNT)
        # A thread that asks while another collects is told that there is nothing to do.
        self.assertEqual(len(found), min(count + 1, 64))
        self.assertEqual(self.marks(), count + 1)

    def test_fork(self):
        output = self.both([PYTHON, "-c", "import gc, os\ngc.collect()\npid = os.fork()\nif pid == 0:\n"
                            " gc.collect(); gc.collect(); os._exit(0)\n"
                            "os.waitpid(pid, 0)\ngc.collect()\nopen('child', 'w').write(str(pid))\n"])
        self.assertEqual(output, "")
        self.assertEqual(self.marks(), 3)
        with open(self.path("child")) as file:
            child = self.last(int(file.read()))
        found = self.collections(child)
        self.assertEqual([entry["source"] for entry in found], ["python", "fork", "python", "python"])

    def test_subinterpreters(self):
        text = ("import _xxsubinterpreters as sub\nmain = sub.create()\n"
                "code = 'import gc\\nfor i in range(7): gc.collect()\\nprint(gc.get_stats()[2], gc.callbacks)'\n"
                "for i in range(3): sub.run_string(main, code)\ngc.collect()\nsub.destroy(main)\n")
        count, found = self.script(text + COUNT)
        self.assertGreaterEqual(len(found), 21 + count + 1)
        self.assertLessEqual(len(found), 21 + count + 2)  # the subinterpreter's end is one, too

    def test_exit_at_once(self):
        for arguments in (["-c", "pass"], ["-S", "-E", "-I", "-c", "1"], ["-c", "import os; os._exit(3)"],
                          ["-c", "1/0"], ["-V"], ["-h"], ["--nonsense"]):
            plain = self.run_program([PYTHON, *arguments], preload=False)
            done = self.run_program([PYTHON, *arguments])
            self.assertEqual(done[:3], plain[:3])

    def test_leak(self):
        """By a module in C, and by a library that is called without one."""
        shutil.copy(runtime.native(), self.path("native.so"))
        self.check_leak([PYTHON, "-c", "import gc, sys\nsys.path.insert(0, %r)\nimport native\n"
                         "for i in range(%d): native.round(); gc.collect()" % (self.path(), runtime.ROUNDS)])
        report = self.check_leak([PYTHON, "-c", "import ctypes, gc\nnative = ctypes.CDLL(%r)\n"
                                  "for i in range(%d): native.native_round(None); gc.collect()"
                                  % (runtime.native(), runtime.ROUNDS)])
        self.assertIn("python", report)

    def test_embedded(self):
        program = runtime.need_built("runtime_embed_python")
        output = self.both([program])
        self.assertEqual(self.marks(), sum(int(word) + 1 for word in output.split()))
        self.full("python")


if __name__ == "__main__":
    runtime.harness.main()
