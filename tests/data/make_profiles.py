"""Writes the profiles that goldens are made of: small, made up, the same every time.

    python3 make_profiles.py DIRECTORY
"""

import gzip
import os
import sys

TYPES = [("alloc_objects", "count"), ("alloc_space", "bytes"), ("collected_objects", "count"),
         ("collected_space", "bytes"), ("resident_space", "bytes"), ("inuse_objects", "count"),
         ("inuse_space", "bytes")]

SERVICE, LIBRARY = "/opt/service/bin/service", "/usr/lib/libcache.so.2"

# name: (linker name, file, line). "a|b" in a stack: a inlined into b.
FUNCTIONS = {
    "main": ("main", "/src/service/main.c", 40),
    "serve": ("serve", "/src/service/main.c", 71),
    "parse_request": ("parse_request", "/src/service/request.c", 112),
    "copy_header": ("copy_header", "/src/service/request.c", 58),
    "session_new": ("session_new", "/src/service/session.c", 33),
    "pool_open": ("pool_open", "/src/service/pool.c", 19),
    "xmalloc": ("xmalloc", "/src/service/memory.c", 8),
    "log_line": ("log_line", "/src/service/log.c", 91),
    "index_reload": ("index_reload", "/src/service/index.c", 240),
    "cache_put": ("cache::put(std::__cxx11::basic_string<char, std::char_traits<char>, "
                  "std::allocator<char> > const&, cache::entry&&)", "/src/cache/cache.cc", 301),
    "push_back": ("std::vector<cache::entry, std::allocator<cache::entry> >::push_back("
                  "cache::entry&&)", "/usr/include/c++/12/bits/stl_vector.h", 1296),
    "new": ("operator new(unsigned long)", "", 0),
    "evict": ("void cache::table<std::pair<int const, cache::entry>, cache::least_recent<int> >"
              "::evict_until<long>(long)", "/src/cache/table.h", 77),
    "start_thread": ("start_thread", "", 0),
}
# Frames of the ledger: they are nowhere.
LEDGER_FRAMES = {
    "@slack": "[slack]", "@pinned": "[pinned]", "@huge": "[huge page]",
    "@idle": "[allocator: idle]", "@metadata": "[allocator: metadata]", "@files": "[files]",
    "@stacks": "[stacks]", "@data": "[data]", "@kernel": "[kernel]", "@own": "[heapdiff]",
    "@other": "[unattributed]",
    "@libc_text": "[file: /usr/lib/x86_64-linux-gnu/libc.so.6 text]",
    "@libc_data": "[file: /usr/lib/x86_64-linux-gnu/libc.so.6 private dirty]",
    "@service_text": "[file: /opt/service/bin/service text]",
    "@index_file": "[file: /var/lib/service/index.db]",
    "@main_stack": "[stack: main thread]", "@worker_stack": "[stack: thread worker]",
    "@service_bss": "[data: /opt/service/bin/service bss]",
    "@apart": "[allocator: not told apart]",
}
IN_LIBRARY = {"cache_put", "push_back", "new", "evict"}


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7f:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def number_field(field, value):
    return varint(field << 3) + varint(value) if value else b""


def bytes_field(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


class Writer:
    TYPES = TYPES

    def __init__(self, build_id, slide):
        self.build_id, self.slide = build_id, slide
        self.texts, self.locations, self.functions = [""], {}, {}

    def text(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)

    def function(self, name):
        return self.functions.setdefault(name, len(self.functions) + 1)

    def mapping(self, identifier, path, build_id, start):
        return bytes_field(3, number_field(1, identifier) + number_field(2, start)
                           + number_field(3, start + 0x40000) + number_field(4, 0x1000)
                           + number_field(5, self.text(path)) + number_field(6, self.text(build_id))
                           + b"".join(number_field(flag, 1) for flag in (7, 8, 9, 10)))

    def location(self, frame):
        return self.locations.setdefault(frame, len(self.locations) + 1)

    def put_location(self, frame, identifier):
        if frame in LEDGER_FRAMES:
            line = bytes_field(4, number_field(1, self.function(frame)))
            return bytes_field(4, number_field(1, identifier) + number_field(2, 3) + line)
        names = frame.split("|")
        in_library = names[-1] in IN_LIBRARY
        place = 0x100 * (list(FUNCTIONS).index(names[-1]) + 1) + 0x10 * len(names)
        start = 0x7f0000000000 if in_library else 0x550000000000
        lines = b"".join(bytes_field(4, number_field(1, self.function(name))
                                     + number_field(2, FUNCTIONS[name][2])) for name in names)
        return bytes_field(4, number_field(1, identifier) + number_field(2, 2 if in_library else 1)
                           + number_field(3, start + self.slide + place) + lines)

    def put_function(self, name, identifier):
        shown, path, line = FUNCTIONS.get(name) or (LEDGER_FRAMES[name], "", 0)
        return bytes_field(5, number_field(1, identifier) + number_field(2, self.text(shown))
                           + number_field(3, self.text(shown)) + number_field(4, self.text(path))
                           + number_field(5, max(line - 5, 0)))

    def sample(self, stack, kind, objects, size, resident=0):
        values = [objects * 3, size * 3, 0, 0, resident, objects, size]
        ids = [self.location(frame) for frame in stack.split()]
        label = number_field(1, self.text("mem_kind")) + number_field(2, self.text(kind))
        return bytes_field(2, bytes_field(1, b"".join(map(varint, ids)))
                           + bytes_field(2, b"".join(map(varint, values))) + bytes_field(3, label))

    def profile(self, samples, facts, period=1):
        out = b"".join(bytes_field(1, number_field(1, self.text(name))
                                   + number_field(2, self.text(unit))) for name, unit in self.TYPES)
        out += b"".join(self.sample(*sample) for sample in samples)
        out += self.mapping(1, SERVICE, self.build_id, 0x550000000000 + self.slide)
        out += self.mapping(2, LIBRARY, "0c" * 20, 0x7f0000000000 + self.slide)
        if any(frame in LEDGER_FRAMES for frame in self.locations):
            out += bytes_field(3, number_field(1, 3) + number_field(5, self.text("[ledger]")))
        out += b"".join(self.put_location(*item) for item in self.locations.items())
        out += b"".join(self.put_function(*item) for item in self.functions.items())
        for key, value in facts.items():
            out += number_field(13, self.text("heapdiff.%s: %s" % (key, value)))
        out += number_field(9, facts["snapshot_time_ns"])
        out += bytes_field(11, number_field(1, self.text("space"))
                           + number_field(2, self.text("bytes")))
        out += number_field(12, period) + number_field(14, self.text("inuse_space"))
        return out + b"".join(bytes_field(6, text.encode()) for text in self.texts)


def facts(pid, seconds, rss, **more):
    start = 1700000000
    return {"version": "0.1.0", "program": "service", "pid": pid,
            "command_line": SERVICE + " --workers 4", "host": "build7",
            "allocator": "glibc", "start_time_ns": start * 10 ** 9,
            "snapshot_time_ns": (start + seconds) * 10 ** 9, "source": "signal",
            "rss_bytes": rss, "rss_peak_bytes": rss + 4096 * 100, "own_bytes": 2 << 20,
            "threads": 5, **more}


# leaf first
OLD = [
    ("copy_header|parse_request serve start_thread", "malloc", 4000, 380000),
    ("xmalloc session_new serve start_thread", "malloc", 120, 61440),
    ("pool_open main", "mmap", 1, 8 << 20),
    ("new push_back cache_put serve start_thread", "malloc", 900, 720000),
    ("evict serve start_thread", "malloc", 16, 4096),
    ("log_line main", "malloc", 2, 65536),
    ("xmalloc log_line main", "malloc", 1, 64),
]
NEW = [
    ("copy_header|parse_request serve start_thread", "malloc", 91000, 8645000),
    ("xmalloc session_new serve start_thread", "malloc", 130, 66560),
    ("xmalloc session_new main", "malloc", 10, 5120),
    ("pool_open main", "mmap", 2, 16 << 20),
    ("new push_back cache_put serve start_thread", "malloc", 400, 320000),
    ("evict serve start_thread", "malloc", 20, 5120),
    ("log_line main", "malloc", 2, 65536),
    ("xmalloc log_line main", "malloc", 1, 64),
    ("index_reload index_reload index_reload main", "malloc", 1000, 1000),
]
# Stacks with what is resident of them; all others of a ledger are made of resident bytes alone.
HEADERS = "copy_header|parse_request serve start_thread"
CACHE = "new push_back cache_put serve start_thread"
LEDGER_OLD = [
    (HEADERS, "malloc", 4000, 380000, 380000),
    ("xmalloc session_new serve start_thread", "malloc", 120, 61440, 61440),
    ("pool_open main", "mmap", 1, 8 << 20, 2 << 20),
    (CACHE, "malloc", 900, 720000, 720000),
]
LEDGER_OLD_LINES = [
    ("@slack " + HEADERS, 36000), ("@pinned " + HEADERS, 500000), ("@pinned " + CACHE, 90000),
    (CACHE + " @idle", 240000), ("@metadata", 65536), ("@libc_text @files", 1500000),
    ("@service_text @files", 409600), ("@main_stack @stacks", 24576), ("@kernel", 8192),
    ("@own", 1 << 20), ("@other", 12288),
]
LEDGER_NEW = [
    (HEADERS, "malloc", 5000, 475000, 475000),
    ("xmalloc session_new serve start_thread", "malloc", 130, 66560, 66560),
    ("pool_open main", "mmap", 1, 8 << 20, 3 << 20),
    (CACHE, "malloc", 400, 3200000, 1100000),
    ("index_reload index_reload index_reload main", "malloc", 1, 40 << 20, 0),
]
LEDGER_NEW_LINES = [
    ("@slack " + HEADERS, 45000), ("@pinned " + HEADERS, 120 << 20),
    ("@pinned xmalloc session_new serve start_thread", 9 << 20), ("@pinned " + CACHE, 1048579),
    ("@huge " + CACHE, 2 << 20), (CACHE + " @idle", 31 << 20), ("evict serve start_thread @idle", 9 << 20),
    ("@idle", 700001), ("@metadata", 131072), ("@libc_text @files", 1536000),
    ("@libc_data @files", 20480), ("@service_text @files", 409600), ("@index_file @files", 7340032),
    ("@main_stack @stacks", 28672), ("@worker_stack @stacks", 61440), ("@service_bss @data", 40960),
    ("@kernel", 8192), ("@own", 3 << 20), ("@other", 16384),
]
SAMPLED_LINES = [("@apart @metadata", 170 << 20), *LEDGER_NEW_LINES[-10:]]
PERIOD = 64 << 10
SAMPLED_OLD = [
    ("copy_header|parse_request serve start_thread", "malloc", 4830, 458824),
    ("pool_open main", "mmap", 1, 8 << 20),
    ("new push_back cache_put serve start_thread", "malloc", 740, 592000),
    ("log_line main", "malloc", 2, 65536),
    ("evict serve start_thread", "malloc", 256, 65664),
]
SAMPLED_NEW = [
    ("copy_header|parse_request serve start_thread", "malloc", 86205, 8189475),
    ("xmalloc session_new serve start_thread", "malloc", 128, 65792),
    ("pool_open main", "mmap", 2, 16 << 20),
    ("new push_back cache_put serve start_thread", "malloc", 493, 394400),
    ("log_line main", "malloc", 2, 65536),
]


def ledger(samples, lines, seconds, drift=0, **more):
    """Samples of a profile with a ledger, and its facts: RSS is what they add up to, and the drift."""
    rss = sum(sample[4] for sample in samples) + sum(size for _, size in lines) + drift
    known = facts(812, seconds, rss, ledger_source="pagemap_scan", ledger_rss_bytes=rss,
                  ledger_drift_bytes=drift, **more)
    return samples + [(stack, "ledger", 0, 0, size) for stack, size in lines], known


def write(directory, name, data, packed=True):
    with open(os.path.join(directory, name), "wb") as file:
        file.write(gzip.compress(data, mtime=0) if packed else data)


def main(directory):
    import make_marked  # which is built on this file

    old = Writer("0a" * 20, 0).profile(OLD, facts(812, 60, 31 << 20))
    write(directory, "old.prof", old)
    new = facts(812, 660, 62 << 20, lost_nested_events=3, unwind_ends=0)
    write(directory, "new.prof", Writer("0a" * 20, 0).profile(NEW, new))
    write(directory, "moved.prof", Writer("0a" * 20, 0x1230000).profile(NEW, new), packed=False)
    # What a sampled run says of the same: copies of the headers were met 125 times, the session once

    sampled_old = Writer("0a" * 20, 0).profile(SAMPLED_OLD, facts(812, 60, 31 << 20), PERIOD)
    write(directory, "sampled_old.prof", sampled_old)
    write(directory, "sampled_new.prof", Writer("0a" * 20, 0x40000).profile(
        SAMPLED_NEW, facts(812, 660, 62 << 20, options="sample=64k"), PERIOD))
    write(directory, "ledger_old.prof", Writer("0a" * 20, 0).profile(
        *ledger(LEDGER_OLD, LEDGER_OLD_LINES, 60, swap_bytes=4096, page_table_bytes=180224)))
    known = {"ledger_stopped": 1, "page_table_bytes": 450560, "pss_bytes": 186 << 20,
             "uss_bytes": 185 << 20, "lazy_free_bytes": 8192, "huge_page_bytes": 4 << 20,
             "swap_bytes": 135168, "trim_bytes": 41 << 20, "cgroup_bytes": 200 << 20,
             "cgroup_limit_bytes": 256 << 20}
    write(directory, "ledger.prof", Writer("0a" * 20, 0x40000).profile(
        *ledger(LEDGER_NEW, LEDGER_NEW_LINES, 660, 8192, **known)))
    known = {"purge_bytes": 40 << 20, "allocator": "jemalloc", "options": "sample=64k"}
    write(directory, "ledger_sampled.prof", Writer("0a" * 20, 0).profile(
        *ledger(LEDGER_NEW, SAMPLED_LINES, 660, **known), PERIOD))
    rebuilt = facts(9100, 660, 62 << 20)
    write(directory, "rebuilt.prof", Writer("0b" * 20, 0x1230000).profile(NEW, rebuilt))
    for name, data in make_marked.profiles().items():
        write(directory, name, data)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        print("usage: make_profiles.py DIRECTORY", file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1])
