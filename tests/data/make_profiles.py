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
        names = frame.split("|")
        in_library = names[-1] in IN_LIBRARY
        place = 0x100 * (list(FUNCTIONS).index(names[-1]) + 1) + 0x10 * len(names)
        start = 0x7f0000000000 if in_library else 0x550000000000
        lines = b"".join(bytes_field(4, number_field(1, self.function(name))
                                     + number_field(2, FUNCTIONS[name][2])) for name in names)
        return bytes_field(4, number_field(1, identifier) + number_field(2, 2 if in_library else 1)
                           + number_field(3, start + self.slide + place) + lines)

    def put_function(self, name, identifier):
        shown, path, line = FUNCTIONS[name]
        return bytes_field(5, number_field(1, identifier) + number_field(2, self.text(shown))
                           + number_field(3, self.text(shown)) + number_field(4, self.text(path))
                           + number_field(5, max(line - 5, 0)))

    def sample(self, stack, kind, objects, size):
        values = [objects * 3, size * 3, 0, 0, 0, objects, size]
        ids = [self.location(frame) for frame in stack.split()]
        label = number_field(1, self.text("mem_kind")) + number_field(2, self.text(kind))
        return bytes_field(2, bytes_field(1, b"".join(map(varint, ids)))
                           + bytes_field(2, b"".join(map(varint, values))) + bytes_field(3, label))

    def profile(self, samples, facts, period=1):
        out = b"".join(bytes_field(1, number_field(1, self.text(name))
                                   + number_field(2, self.text(unit))) for name, unit in TYPES)
        out += b"".join(self.sample(*sample) for sample in samples)
        out += self.mapping(1, SERVICE, self.build_id, 0x550000000000 + self.slide)
        out += self.mapping(2, LIBRARY, "0c" * 20, 0x7f0000000000 + self.slide)
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


def write(directory, name, data, packed=True):
    with open(os.path.join(directory, name), "wb") as file:
        file.write(gzip.compress(data, mtime=0) if packed else data)


def main(directory):
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
    rebuilt = facts(9100, 660, 62 << 20)
    write(directory, "rebuilt.prof", Writer("0b" * 20, 0x1230000).profile(NEW, rebuilt))


if __name__ == "__main__":
    main(sys.argv[1])
