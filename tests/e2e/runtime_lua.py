"""Collections of Lua and LuaJIT: Debian's programs, which have it linked in, and its libraries, embedded."""

import os
import runtime
import shutil
import unittest

PROGRAMS = [name for name in ("lua5.4", "lua5.3", "lua5.2", "lua5.1", "luajit")
            if shutil.which(name, path="/usr/bin:/bin")]
SOURCES = {name: "luajit" if name == "luajit" else "lua" for name in PROGRAMS}

# Collections with nothing between them: as many as were asked for.
ASKED = "collectgarbage('stop')\nfor i = 1, 20 do collectgarbage('collect') end\n"

# As many as the runtime says it has finished, step by step.
STEPS = """
collectgarbage('stop')
if _VERSION == 'Lua 5.4' then collectgarbage('incremental') end
local kept, count = {}, 0
for i = 1, _VERSION == 'Lua 5.4' and 1000 or 50000 do
    kept[i % 5000] = {i}
    if collectgarbage('step', 0) then count = count + 1 end
end
print(count)
"""

# A script's own way of counting them.
SENTINEL = """
collectgarbage('stop')
local count = 0
local function arm()
    local function found() count = count + 1 arm() end
    if newproxy then getmetatable(newproxy(true)).__gc = found else setmetatable({}, {__gc = found}) end
end
if _VERSION == 'Lua 5.4' then collectgarbage('incremental') end
arm()
collectgarbage('restart')
local kept = {}
for i = 1, 200000 do kept[i % 5000] = {i} end
collectgarbage('stop')
print(count)
"""


class Lua(runtime.Case):
    def script(self, program, text, settings="", more=None):
        output = self.both([program, "-e", text], settings, more)
        return output, self.full(SOURCES[program])

    def test_count(self):
        for program in PROGRAMS:
            with self.subTest(program):
                _, found = self.script(program, ASKED)
                self.assertEqual(len(found), 20)
                self.assertEqual({entry["truth"] for entry in found},
                                 {"totals" if program == "luajit" else "exact"})
                said = self.runtime(SOURCES[program])
                self.assertEqual(said["state"], "watched")
                self.assertTrue(said["version"].startswith("2.1" if program == "luajit" else program[3:]), said)

    def test_collections_of_its_own(self):
        for program in PROGRAMS:
            with self.subTest(program):
                done = self.run_program([program, "-e", SENTINEL], "final=on")
                self.profile = self.last(done[3])
                self.assertGreater(int(done[1]), 1)
                # The script does not see the end of the last ones.
                self.assertLessEqual(abs(self.marks() - int(done[1])), 2)

    def test_steps(self):
        for program in PROGRAMS:
            with self.subTest(program):
                plain = int(self.run_program([program, "-e", STEPS], preload=False)[1])
                done = self.run_program([program, "-e", STEPS], "final=on")
                self.profile = self.last(done[3])
                self.assertGreater(int(done[1]), 1)
                self.assertIn(self.marks() - int(done[1]), (0, 1))  # one may be at its finalizers
                # What we hold there is some hundred bytes: it works a little more at each.
                self.assertAlmostEqual(int(done[1]) / plain, 1, delta=0.05)

    @unittest.skipUnless("lua5.4" in PROGRAMS, "no lua5.4")
    def test_generations(self):
        """A step is a minor collection there, which is none."""
        text = ("collectgarbage('generational') collectgarbage('stop')\n"
                "local function full(n) for i = 1, n do collectgarbage('collect') end end\n"
                "local function minor(n) for i = 1, n do local x = {{}, {}} collectgarbage('step', 0) end end\n"
                "minor(7) full(1) minor(1) full(2) minor(2) full(2) minor(20) full(3)\n")
        _, found = self.script("lua5.4", text)
        self.assertEqual(len(found), 8)

    def test_turned_off(self):
        for program in PROGRAMS:
            for settings in ("runtimes=none", "runtimes=python"):
                _, found = self.script(program, ASKED, settings)
                self.assertEqual(found, [])

    def test_what_scripts_see(self):
        """LUA_INIT, as set or not set by its user, is what there is, and does what it did; so do errors in it."""
        show = "print(os.getenv('LUA_INIT'), os.getenv('LUA_INIT_5_4'), #arg, next(package.loaded) ~= nil)"
        with open(self.path("init.lua"), "w") as file:
            file.write("print('from a file')\n")
        for program in PROGRAMS:
            self.script(program, show)
            for init in ("print('hello')", "x = 1 -- no more", "@init.lua", "@missing", "x =", "local x = y.z", ""):
                with self.subTest(program, init=init):
                    self.both([program, "-e", show], more={"LUA_INIT": init})
                    if init != "" and init[0] != "@":
                        self.both([program, "-e", show], more={"LUA_INIT_5_4": init})
            if program == "luajit":
                continue
            self.both([program, "-E" if program != "lua5.1" else "-v", "-e", show])

    def test_ends(self):
        """The finalizers of a state that is closed are no collections."""
        for program in PROGRAMS:
            _, found = self.script(program, "collectgarbage('stop') io.write('x')")
            self.assertEqual(found, [])
            _, found = self.script(program, ASKED + "os.exit(3)")
            self.assertEqual(len(found), 20)

    def test_leak(self):
        for program in PROGRAMS:
            self.check_leak([program, "-e", "local round = assert(package.loadlib('%s', 'native_round'))\n"
                             "collectgarbage('stop')\n"
                             "for i = 1, %d do round() collectgarbage('collect') end"
                             % (runtime.native(), runtime.ROUNDS)])

    def test_embedded(self):
        """Two states in two threads, of each library that there is."""
        for name in ("lua5.4", "lua5.3", "lua5.1", "luajit"):
            program = runtime.harness.helper("runtime_embed_" + name)
            if not os.path.exists(program):
                continue
            with self.subTest(name):
                self.assertEqual(self.both([program]), "40\n")
                self.assertEqual(len(self.full("luajit" if name == "luajit" else "lua")), 40)

    def test_two_libraries(self):
        """A program with one version, and a plugin that brings another, which only the plugin can see."""
        program = runtime.need_built("runtime_embed_lua5.4")
        plugin = runtime.need_built("libruntime_plugin_lua5.1.so")
        output = self.both([program, plugin])
        self.assertEqual(output, "Lua 5.1\n40\n")
        self.assertEqual(len(self.full("lua")), 60)


if __name__ == "__main__":
    if not PROGRAMS:
        runtime.harness.skip("no Lua is installed")
    runtime.harness.main()
