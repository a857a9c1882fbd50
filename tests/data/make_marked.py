"""Profiles of programs with collections, for the goldens: their figures are made up, and add up."""

from make_profiles import Writer, bytes_field, facts, number_field, varint

BEGIN = 1700000000 * 10 ** 9
MIB = 1 << 20
OLD = 8  # or more


class Marked(Writer):
    TYPES = [(name, unit) for kind in ("alloc", "collected", "since", "survived")
             for name, unit in ((kind + "_objects", "count"), (kind + "_space", "bytes"))]
    TYPES += [("resident_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes")]

    def sample(self, stack, each, ages, history, since):
        """Blocks of `each` bytes: {age: bytes} of them, bytes live at marks, bytes allocated since."""
        live, then = sum(ages.values()), history[-1]
        sizes = [3 * (then + since), then, since, live - ages.get(0, 0)]
        values = [number for size in sizes for number in (size // each, size)] + [0, live // each, live]
        ids = b"".join(varint(self.location(frame)) for frame in stack.split())
        label = number_field(1, self.text("mem_kind")) + number_field(2, self.text("malloc"))
        return bytes_field(2, bytes_field(1, ids) + bytes_field(2, b"".join(map(varint, values)))
                           + bytes_field(3, label))


def runs(history):
    """"5,7x3": equal neighbours are counted."""
    out = []
    for value in history:
        if out and out[-1][0] == value:
            out[-1][1] += 1
        else:
            out.append([value, 1])
    return ",".join("%d" % value + ("x%d" % times if times > 1 else "") for value, times in out)


def site_facts(samples):
    return {"site.%d" % i: " ".join(["%d=%d" % item for item in sorted(ages.items())]
                                    + ["h=" + runs(history), "p=%d" % history[-1]])
            for i, (_, _, ages, history, _) in enumerate(samples)}


def history_facts(collections, first):
    """One of (seconds, words) each, under its number."""
    return {"collection.%d" % number: "source=%s time_ns=%d %s" % (words[0], BEGIN + int(seconds * 1e9), words[1])
            for number, (seconds, *words) in enumerate(collections, first)}


def marked(samples, collections, marks, first=1, runtimes=(), **more):
    known = {"collections": marks, "collection_time_ns": BEGIN + int(collections[-1][0] * 1e9), "ages": 1,
             **site_facts(samples), **history_facts(collections, first),
             **{"runtime.%d" % i: text for i, text in enumerate(runtimes, 1)}, **more}
    return Marked("0a" * 20, 0).profile(samples, facts(812, 660, 424 * MIB, **known))


LEAK = ("copy_header|parse_request serve start_thread", 100,
        {age: 200000 for age in range(1, OLD)} | {OLD: 2600000},
        [200000 * i for i in range(13, 21)], 0)
PLATEAU = ("xmalloc session_new serve start_thread", 100, {1: 30000, OLD: 270000}, [300000] * 8, 0)
SAWTOOTH = ("log_line main", 50, {1: 50000, 2: 50000}, [150000, 0, 50000, 100000] * 2, 0)
# Grew five times, and lost more than that: no verdict by itself.
SHRUNK = ("pool_open main", 100, {OLD: 100000}, [900000, 100000, 110000, 120000, 130000, 140000, 150000, 100000], 0)
BOEHM = [(number * 1.25, "boehm", "kind=full truth=exact mark=%d before=%d after=%d pause_ns=%d rss=%d goal=%d"
          % (number, before * MIB, after * MIB, pause * 1000, rss * MIB, after * MIB * 5 // 3))
         for number, before, after, pause, rss in (
             (8, 64, 51, 220100, 88), (9, 86, 86, 379169, 134), (10, 149, 149, 723578, 231),
             (11, 254, 254, 1389614, 391))]
PYTHON = [(0.581, "python", "kind=full truth=totals mark=1 rss=22544384 reason=after 8 minor"),
          (0.9, "python", "kind=minor truth=totals pause_ns=2233000 reason=generation 1"),
          (301.25, "malloc_trim", "kind=full truth=exact mark=2 after=8388608 pause_ns=812345 rss_before=44564480 "
           "rss=42991616"),
          (541.5, "java", "kind=full truth=totals mark=3 before=73400320 after=20971520 pause_ns=12345678 "
           "rss=152043520 reason=Metadata GC Threshold, after 53 minor ones")]


def stale(since):
    """8 MiB then, `since` more now, of which nothing was freed."""
    return [("new push_back cache_put serve start_thread", 1024, {0: since, 1: 8 * MIB},
             [4 * MIB, 8 * MIB, 8 * MIB], since)]


def profiles():
    """{file: its bytes}"""
    runtimes = ["name=boehm version=8.2.2 truth=exact state=watched"]
    return {
        "marked.prof": marked([LEAK, PLATEAU, SAWTOOTH, SHRUNK], BOEHM, 11, 8, runtimes),
        "shrunk.prof": marked([PLATEAU, SAWTOOTH, SHRUNK], BOEHM, 11, 8, runtimes),
        "stale.prof": marked(stale(8 * MIB // 3 + 1024), PYTHON, 3, 1,
                             ["name=java version=17.0.13 truth=totals state=watched",
                              "name=mono version=9.9 truth=totals state=unknown version"]),
        "fresh.prof": marked(stale(8 * MIB // 3 - 8 * MIB // 3 % 1024), PYTHON, 3),
    }
