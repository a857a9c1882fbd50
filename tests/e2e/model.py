"""Random programs against a model: what each site has live, had at marks, and how old it is, to the byte.

    HEAPDIFF_BUILD=build python3 tests/e2e/model.py
    HEAPDIFF_SEEDS=1000-1200 HEAPDIFF_BUILD=build python3 tests/e2e/model.py     # more of them
"""

import copy
import os
import random

import harness
from prof import Profile

PAGE, FUNCTIONS, SLOTS, OLD, KEPT = 4096, 6, 512, 8, 8
STEPS = 1500


def added(first, second):
    return tuple(map(sum, zip(first, second)))


class Book:
    """What is known of one site: a function that asks in one way, in the main thread or in another."""

    def __init__(self):
        self.collected = self.since = self.total = (0, 0)  # objects, bytes; of all time the last
        self.history, self.peak = [], 0


class Model:
    def __init__(self):
        self.blocks = {}  # slot: (place, bytes, birth)
        self.maps = {}    # slot: (place, births of its pages)
        self.marks = self.peak = 0
        self.books = {}   # (kind, place), and a place is (function, how, in the main thread)

    def live(self, kind, place):
        """{birth: (objects, bytes)}; of mappings only bytes are told."""
        found = {}
        if kind == "malloc":
            pieces = [(birth, 1, size) for owner, size, birth in self.blocks.values() if owner == place]
        else:
            pieces = [(birth, 0, PAGE) for owner, births in self.maps.values() if owner == place for birth in births]
        for birth, *both in pieces:
            found[birth] = added(found.get(birth, (0, 0)), both)
        return found

    def sum(self, kind, place):
        total = (0, 0)
        for both in self.live(kind, place).values():
            total = added(total, both)
        return total

    def count(self, kind, place, *both):
        book = self.books.setdefault((kind, place), Book())
        book.since, book.total = added(book.since, both), added(book.total, both)

    def mark(self):
        self.marks += 1
        total = 0
        for (kind, place), book in self.books.items():
            book.collected, book.since = self.sum(kind, place), (0, 0)
            book.history = (book.history + [book.collected[1]])[-KEPT:]
            total += book.collected[1]
        if total >= self.peak:
            self.peak = total
            for book in self.books.values():
                book.peak = book.collected[1]

    def fork(self):
        """The child: all that it has is as of now, and a mark if its parent knew of any."""
        child = copy.deepcopy(self)
        for (kind, place), book in child.books.items():
            book.since = book.total = child.sum(kind, place)
        if child.marks:
            child.mark()
        return child

    def allocate(self, place, slot, size):
        self.blocks[slot] = (place, size, self.marks)
        self.count("malloc", place, 1, size)

    def map(self, place, slot, pages):
        self.maps[slot] = (place, [self.marks] * pages)
        self.count("mmap", place, 0, pages * PAGE)

    def unmap(self, slot, first, end):
        place, births = self.maps.pop(slot)
        births = births[:first] + births[end:]
        if births:
            self.maps[slot] = (place, births)

    def resize(self, slot, pages):
        place, births = self.maps[slot]
        self.count("mmap", place, 0, max(0, pages - len(births)) * PAGE)
        self.maps[slot] = (place, (births + [self.marks] * pages)[:pages])

    def ages(self, kind, place):
        found = {}
        for birth, (_, size) in self.live(kind, place).items():
            age = min(self.marks - birth, OLD)
            found[age] = found.get(age, 0) + size
        return found

    def expected_at(self, kind, place, book):
        live, survived = self.live(kind, place), (0, 0)
        for birth, both in live.items():
            survived = added(survived, both if birth < self.marks else (0, 0))
        known = self.marks and any(book.total)  # to a child, what is gone never was
        return {"inuse": self.sum(kind, place), "collected": book.collected, "since": book.since,
                "survived": survived, "ages": self.ages(kind, place) if self.marks else {},
                "history": book.history if known else [], "peak": book.peak if known else 0}

    def expected(self, kind, function):
        """Of all its places together."""
        total = Total()
        for (of_kind, place), book in self.books.items():
            if (of_kind, place[0]) == (kind, function):
                total.add(**self.expected_at(kind, place, book))
        return vars(total)


class Total:
    """Figures of a function, of a model or of a profile."""

    def __init__(self):
        self.inuse = self.collected = self.since = self.survived = (0, 0)
        self.ages, self.history, self.peak = {}, [0] * KEPT, 0

    def add(self, inuse, collected, since, survived, ages, history, peak):
        self.inuse, self.collected = added(self.inuse, inuse), added(self.collected, collected)
        self.since, self.survived = added(self.since, since), added(self.survived, survived)
        self.ages = {age: self.ages.get(age, 0) + ages.get(age, 0) for age in {*self.ages, *ages}}
        history = [0] * (KEPT - len(history)) + history  # what came later had nothing at the first
        self.history = [a + b for a, b in zip(self.history, history)]
        self.peak += peak


class Script:
    """A random program and, at each snapshot, what must be in it."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.model, self.lines, self.wanted = Model(), [], []
        self.in_child = False
        self.threads = self.random.choice((1, 1, 4))
        self.sizes = self.random.choice(((16, 64, 100), (24, 1000, 5000), (8, 200, 70000, 300000)))
        self.mark_odds = self.random.choice((0.005, 0.02, 0.1))
        for _ in range(STEPS):
            self.step()
            if self.random.random() < 0.003:
                self.child()
        self.snapshot()

    def put(self, what, function=0, slot=0, number=0):
        """Its place, if it allocates."""
        thread = self.random.randrange(self.threads)
        self.lines.append("%d %s %d %d %d\n" % (thread, what, function, slot, number))
        return function, what, thread == 0 or self.in_child

    def snapshot(self):
        self.put("s", number=len(self.wanted))
        self.wanted.append({(kind, function): self.model.expected(kind, function)
                            for kind in ("malloc", "mmap") for function in range(FUNCTIONS)})

    def child(self):
        parent, self.model, self.in_child = self.model, self.model.fork(), True
        self.put("F")
        self.model.allocate(self.put("m", 0, 0, 1), 0, 1)  # a child is one by its first event
        for _ in range(self.random.randrange(30)):
            self.step()
        self.snapshot()
        self.put("X")
        self.model, self.in_child = parent, False

    def step(self):
        chance = self.random.random()
        if chance < self.mark_odds:
            self.put(self.random.choice("kkhg"))
            self.model.mark()
        elif chance < self.mark_odds + 0.01:
            self.snapshot()
        elif chance < 0.25:
            self.step_map(self.random.randrange(SLOTS // 2, SLOTS))
        else:
            self.step_block(self.random.randrange(1, SLOTS // 2))

    def step_block(self, slot):
        function, size = self.random.randrange(FUNCTIONS), self.random.choice(self.sizes) + self.random.randrange(8)
        if slot in self.model.blocks and self.random.random() < 0.5:
            self.put("f", 0, slot)
            del self.model.blocks[slot]
        else:
            how = "r" if slot in self.model.blocks else self.random.choice("mcr")
            self.model.allocate(self.put(how, function, slot, size), slot, size)

    def step_map(self, slot):
        function, pages = self.random.randrange(FUNCTIONS), self.random.randrange(1, 12)
        if slot not in self.model.maps:
            self.model.map(self.put("p", function, slot, pages), slot, pages)
            return
        have = len(self.model.maps[slot][1])
        if self.random.random() < 0.4:
            self.put("v", 0, slot, pages)
            self.model.resize(slot, pages)
            return
        cut = self.random.randrange(1, have + 1)
        first, end = self.random.choice(((0, have), (0, cut), (have - cut, have)))
        self.put("u", first, slot, end)
        self.model.unmap(slot, first, end)
        if first == 0 and end == have:
            self.model.maps.pop(slot, None)


def seeds():
    first, _, last = os.environ.get("HEAPDIFF_SEEDS", "1-6").partition("-")
    return range(int(first), int(last or first) + 1)


class Programs(harness.Case):
    def found(self, profile, kind, function):
        total = Total()
        for ordinal, sample in enumerate(profile.samples):
            if sample.kind == kind and "site_%d" % function in [name for _, name in profile.frames(sample)]:
                values = sample.values
                sums = {key: (values[key + "_objects"] if kind == "malloc" else 0, values[key + "_space"])
                        for key in ("inuse", "collected", "since", "survived")}
                ages, history, peak = profile.site_fact(ordinal)
                total.add(ages=ages, history=history, peak=peak, **sums)
        return vars(total)

    def run_script(self, script, options=""):
        with open(self.path("script"), "w") as file:
            file.writelines(script.lines)
        done = self.run_program([harness.helper("model"), "script"], "final=off,collect_signal=USR2," + options)
        self.assertEqual(done[:3], (0, "", ""))
        return [Profile(self.path("at.%d.prof" % i)).check() for i in range(len(script.wanted))]

    def test_as_the_model_says(self):
        for seed in seeds():
            script = Script(seed)
            for number, profile in enumerate(self.run_script(script)):
                self.assertEqual(profile.lost(), {})
                for key, wanted in script.wanted[number].items():
                    self.assertEqual(self.found(profile, *key), wanted,
                                     "seed %d, snapshot %d, %s of site_%d" % (seed, number, *key))

    def test_sampled(self):
        """Of samples the sums agree with each other, and mappings are as exact as ever."""
        for seed in list(seeds())[:4]:
            script = Script(seed)
            for number, profile in enumerate(self.run_script(script, "sample=2k,seed=%d" % seed)):
                for key, wanted in script.wanted[number].items():
                    found = self.found(profile, *key)
                    found["peak"] = wanted["peak"]  # is at the mark where samples had most
                    if key[0] == "mmap":
                        self.assertEqual(found, wanted, "seed %d, snapshot %d, site_%d" % (seed, number, key[1]))
                self.check_samples(profile)

    def check_samples(self, profile):
        for ordinal, sample in enumerate(profile.samples):
            if sample.kind == "ledger":
                continue
            ages, history, _ = profile.site_fact(ordinal)
            value = sample.values
            for unit in ("objects", "space"):
                freed = value["collected_" + unit] + value["since_" + unit] - value["inuse_" + unit]
                self.assertGreaterEqual(freed, 0, value)
                self.assertLessEqual(value["since_" + unit], value["alloc_" + unit])
                self.assertLessEqual(value["survived_" + unit], value["inuse_" + unit])
            if profile.facts.get("ages") and int(profile.facts["collections"]):
                self.assertEqual(sum(ages.values()), value["inuse_space"], profile.facts.get("site.%d" % ordinal))
                self.assertEqual((history or [0])[-1], value["collected_space"])


if __name__ == "__main__":
    harness.main()
