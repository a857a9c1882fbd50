"""Collections of Ruby: Debian's ruby, an embedding program, threads, forks."""

import shutil

import runtime

RUBY = runtime.need("ruby")


class Ruby(runtime.Case):
    def script(self, text, settings=""):
        """Runs it both ways; what it says GC.stat(:major_gc_count) is in its last line, and the full collections
        that were noticed."""
        output = self.both([RUBY, "--disable=gems", "-e", text + "\nputs GC.stat(:major_gc_count)"], settings)
        return int(output.split()[-1]), self.full("ruby")

    def test_count(self):
        count, found = self.script("GC.disable\n20.times { GC.start }")
        self.assertEqual(len(found), count)
        self.assertEqual({entry["truth"] for entry in found}, {"exact"})
        self.assertTrue(all("force" in entry["reason"] for entry in found[-20:]))
        self.assertTrue(all(int(entry["pause_ns"]) > 0 for entry in found))
        said = self.runtime("ruby")
        self.assertEqual(said["state"], "watched")
        self.assertRegex(said["version"], r"^3\.\d+\.\d+$")

    def test_before(self):
        """What is live as a collection begins, by our own books."""
        _, found = self.script("GC.disable\nGC.start\ndef make; 100.times { 'x' * 100000 }; end\nmake\nGC.start")
        freed = int(found[-1]["before"]) - int(found[-1]["after"])
        self.assertTrue(9500000 < freed < 10500000, found)
        self.assertGreater(int(found[-1]["rss_before"]), 0)
        self.assertEqual(self.runtime("ruby")["truth"], "exact")

    def test_collections_of_its_own(self):
        # What has been marked is swept bit by bit: the last one is finished by asking for one more.
        done = self.run_program([RUBY, "--disable=gems", "-e", "kept = []\n300000.times { |i| kept << 'x' * 30 }\nGC.start\n"
                                 "puts GC.stat(:major_gc_count), GC.stat(:minor_gc_count)"], "final=on")
        major, minor = (int(word) for word in done[1].split())
        self.profile = self.last(done[3])
        self.assertGreater(major, 1)
        self.assertEqual(self.marks(), major)
        told = [entry for entry in self.collections() if entry["kind"] == "minor"]
        counted = [int(entry["reason"].split("after ")[1].split()[0])
                   for entry in self.collections() if "after " in entry["reason"]]
        self.assertEqual(len(told) + sum(counted), minor)

    def test_turned_off(self):
        for settings in ("runtimes=none", "runtimes=python"):
            _, found = self.script("3.times { GC.start }", settings)
            self.assertEqual(found, [])
        self.assertEqual(self.marks(), 0)

    def test_nothing_to_see(self):
        self.script("GC.disable\np ObjectSpace.each_object(TracePoint).count, GC.count > 0\n"
                    "t = TracePoint.new(:line) { }\nt.enable { GC.start }\nGC.start\n")

    def test_threads_and_fork(self):
        count, found = self.script("GC.disable\n4.times.map { Thread.new { 5.times { GC.start } } }.each(&:join)")
        self.assertEqual(len(found), count)
        self.both([RUBY, "--disable=gems", "-e", "GC.disable\nGC.start\npid = fork { GC.start; GC.start; exit!(0) }\n"
                   "Process.wait(pid)\nGC.start\nFile.write('child', pid.to_s)"])
        with open(self.path("child")) as file:
            child = self.collections(self.last(int(file.read())))
        self.assertEqual([entry["source"] for entry in child][-3:], ["fork", "ruby", "ruby"])

    def test_compaction(self):
        count, found = self.script("GC.disable\nGC.compact\nGC.start")
        self.assertEqual(len(found), count)

    def test_exit_at_once(self):
        for arguments in (["-e", "1"], ["--disable=gems", "-e", "exit!(3)"], ["-e", "raise 'no'"], ["-v"],
                          ["--nonsense"]):
            plain = self.run_program([RUBY, *arguments], preload=False)
            done = self.run_program([RUBY, *arguments])
            self.assertEqual(done[:3], plain[:3])

    def test_leak(self):
        """By a module in C, and by a library that is called without one."""
        shutil.copy(runtime.native(), self.path("native.so"))
        self.check_leak([RUBY, "--disable=gems", "-I", self.path(), "-e", "require 'native'\n"
                         "%d.times { Native.round; GC.start }" % runtime.ROUNDS])
        self.check_leak([RUBY, "--disable=gems", "-e", "require 'fiddle'\n"
                         "native = Fiddle::Function.new(Fiddle.dlopen('%s')['native_round'],\n"
                         " [Fiddle::TYPE_VOIDP], Fiddle::TYPE_INT)\n"
                         "%d.times { native.call(nil); GC.start }" % (runtime.native(), runtime.ROUNDS)])

    def test_embedded(self):
        count = int(self.both([runtime.need_built("runtime_embed_ruby")]).split()[-1])
        self.assertEqual(len(self.full("ruby")), count)


if __name__ == "__main__":
    runtime.harness.main()
