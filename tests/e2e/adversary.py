"""Stacks that are hard to unwind: each must lead where it came from, and be what libunwind finds."""

import platform

import harness
from prof import Profile

BUILDS = ("plain", "zero", "framed", "small")
ROUNDS = 10 * (1 + 3)  # of adversary.c: by the main thread, then by three at once
THREADS = 3 + ROUNDS  # that had last words: its own and the cancelled ones
GENERATED_ROUNDS = 20  # of adversary_code.c

# Who allocates: how often a round, and whose frames lie outward, in this order, others in between.
EVERY_ROUND = {
    "jump_leaf": (1, "jump_down jump_run"),
    "jump_after": (1, "jump_run"),
    "noreturn_leaf": (1, "noreturn_caller noreturn_run"),
    "alloca_leaf": (6, "alloca_frame adversary_frames"),
    "aligned_leaf": (2, "aligned_frame adversary_frames"),
    "large_leaf": (1, "large_frame large_run"),
    "tail_last": (1, "tail_run"),
    "cold_leaf": (1, "cold_split adversary_frames"),
    "compare_items": (1, "sort_run"),
    "search_item": (1, "search_run"),
    "tree_compare": (1, "tree_run"),
    "tree_free": (2, "tree_run"),
    "coroutine_even": (18, ""),
    "coroutine_deeper": (18, "coroutine_odd"),
    "alternate_handler": (2, "raise signal_run"),
    "escape_handler": (1, "raise escape_run signal_run"),
    "once_routine": (1, "once_run"),
    "called_back": (2, "plugin_run library_run adversary_libraries"),
    "left_constructor": (1, "library_run"),
    "left_resolver": (1, "plugin_run library_run"),
    "left_leaf": (1, "plugin_run library_run"),
    "left_destructor": (1, "library_run"),
    "right_constructor": (1, "library_run"),
    "right_resolver": (1, "plugin_run library_run"),
    "right_leaf": (1, "plugin_run library_run"),
    "right_destructor": (1, "library_run"),
    "vector_leaf": (2, "adversary_vector"),
    "throw_leaf": (1, "throw_down throw_again throw_run"),
    "throw_cleanup": (50, "throw_down throw_again throw_run"),
    "throw_catch": (2, "throw_run"),
}
COROUTINES = {"coroutine_even", "coroutine_deeper"}  # their stacks begin with themselves
ONCE = {
    "global_construct": (1, ""),
    "global_destruct": (1, ""),
    "exit_handler": (1, ""),
    "key_destructor": (THREADS, ""),
    "local_destruct": (3, ""),
    "cancel_cleanup": (ROUNDS, ""),
}
# What a site calls to allocate; others (libgcc's exceptions, the loader) have counts of their own.
OWN = (["adversary_allocate"], ["allocate"], [])
CUT = {"small_leaf": (1, "small_frame")}  # a round; the stack is deeper than what is kept
GENERATED = {
    "generated_leaf": (4, "registered_run adversary_generated main"),
    "through_leaf": (2, "adversary_throw_through registered_run adversary_generated main"),
    "framed_leaf": (1, "framed_run adversary_generated main"),
}


def plain_name(name):
    """A function's own name, without those of its C++ parameters and namespace."""
    if name and name.startswith("_ZN12_GLOBAL__N_1"):
        digits = name[len("_ZN12_GLOBAL__N_1"):]
        length = "".join(iter_digits(digits))
        return digits[len(length):len(length) + int(length)] if length else name
    if name and name.startswith("_Z23adversary_throw_through"):
        return "adversary_throw_through"
    return name


def iter_digits(text):
    for letter in text:
        if not letter.isdigit():
            return
        yield letter


def leads(names, outward):
    """Whether all of `outward` are in `names`, in this order."""
    rest = iter(names)
    return all(wanted in rest for wanted in outward)


class Adversary(harness.Case):
    def stacks(self, path):
        """[(names from the leaf, how often)] of a profile."""
        profile = Profile(path).check()
        return profile, [([plain_name(name) for _, name in profile.frames(sample)],
                          sample.values["alloc_objects"]) for sample in profile.samples]

    def check_sites(self, stacks, sites, rounds):
        """Each site was there as often as it must, each time from the same callers."""
        wrong = []
        for site, (often, outward) in sites.items():
            found = [(names, count) for names, count in stacks
                     if site in names and names[:names.index(site)] in OWN]
            total = sum(count for _, count in found)
            if total != often * rounds:
                wrong.append("%s: %d, not %d" % (site, total, often * rounds))
            for names, _ in found:
                if not leads(names, [site] + outward.split()):
                    wrong.append("%s: %s" % (site, names))
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def check_whole(self, stacks, sites):
        """Stacks of these sites reach the outermost function."""
        for names, _ in stacks:
            if set(sites) & set(names):
                self.assertTrue({"main", "thread_main"} & set(names), names)

    def run_all(self, build, options):
        path = self.path(build + ".prof")
        done = self.run_program([harness.helper("adversary_" + build), "all"],
                                options + "out=" + path)
        self.assertEqual(done[:3], (0, "", ""))
        profile, stacks = self.stacks(path)
        self.check_sites(stacks, EVERY_ROUND, ROUNDS)
        self.check_sites(stacks, CUT, ROUNDS)
        self.check_sites(stacks, ONCE, 1)
        self.check_whole(stacks, set(EVERY_ROUND) - COROUTINES)
        self.assertEqual(profile.facts["cut_stacks"], str(ROUNDS))
        self.assertEqual(profile.facts.get("unwind_ends", "0"), "0")
        self.assertEqual(profile.lost(), {})
        return profile

    def test_by_rules(self):
        for build in BUILDS:
            with self.subTest(build=build):
                self.run_all(build, "")

    def test_as_libunwind_has_it(self):
        """Every capture compared, frame by frame."""
        for build in BUILDS:
            with self.subTest(build=build):
                profile = self.run_all(build, "unwind=check,")
                self.assertGreater(int(profile.facts["unwind_checked"]), 100 * ROUNDS)

    def run_interrupted(self, build, options, microseconds):
        path = self.path("interrupted.prof")
        done = self.run_program([harness.helper("adversary_" + build), "interrupted", microseconds],
                                options + "out=" + path)
        self.assertEqual(done[:3], (0, "", ""))
        _, stacks = self.stacks(path)
        self.check_sites(stacks, EVERY_ROUND, ROUNDS)

    def test_all_interrupted(self):
        """The same under a storm of signals, which find every frame half made."""
        for build in BUILDS:
            with self.subTest(build=build):
                if not harness.SELF_CHECK:  # libunwind takes longer than that
                    self.run_interrupted(build, "", "100")
                self.run_interrupted(build, "unwind=check,", "3000")

    def run_generated(self, build, options):
        if platform.machine() != "x86_64":
            self.skipTest("code is generated for x86_64 only")
        path = self.path(build + ".prof")
        done = self.run_program([harness.helper("adversary_" + build), "generated"],
                                options + "out=" + path)
        self.assertEqual(done[:3], (0, "", ""))
        profile, stacks = self.stacks(path)
        self.check_sites(stacks, GENERATED, GENERATED_ROUNDS)
        lost = [names for names, _ in stacks if "unregistered_leaf" in names]
        self.assertNotEqual(lost, [])
        self.assertEqual([names for names in lost if "unregistered_run" in names], [])
        self.assertEqual(profile.facts["unwind_ends"], str(GENERATED_ROUNDS))

    def test_generated_code(self):
        """Registered code is passed through; unregistered code ends the stack, and that is counted."""
        for build in BUILDS:
            with self.subTest(build=build):
                self.run_generated(build, "")

    def test_generated_code_is_not_libunwinds(self):
        """It knows nothing of registered code: such stacks are no differences."""
        self.run_generated("plain", "unwind=check,")

    def test_interrupted_anywhere(self):
        """A timer's handler over a loop of allocations: each of its events is recorded or counted."""
        for options in ("", "unwind=check,"):
            path = self.path("timer.prof")
            done = self.run_program([harness.helper("adversary_plain"), "timer"],
                                    options + "out=" + path)
            self.assertEqual((done[0], done[2]), (0, ""))
            profile, stacks = self.stacks(path)
            seen = sum(count for names, count in stacks if "timer_handler" in names)
            seen += int(profile.facts["lost_nested_events"])
            self.assertEqual(seen, int(done[1]))


if __name__ == "__main__":
    harness.main()
