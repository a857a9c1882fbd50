"""A reader of heapdiff's profiles that shares no code with heapdiff.

Decodes gzip'd profile.proto strictly, checks what every profile of ours must hold, and finds the
function of an address by the ELF symbol table of the file it is mapped from.
"""

import bisect
import gzip
import os
import struct

TYPES = ["alloc_objects", "alloc_space", "collected_objects", "collected_space",
         "since_objects", "since_space", "survived_objects", "survived_space", "resident_space",
         "inuse_objects", "inuse_space"]


class Broken(Exception):
    """The file is not a profile as heapdiff must write it."""


def require(holds, what, *values):
    """`values` are put into `what` when it is wanted: a profile has ten thousands of things to be required."""
    if not holds:
        raise Broken(what % values if values else what)


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift >= 70:
            raise Broken("varint")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def fields(data):
    """Yields (number, int or bytes) for each field of a message."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            require(key & 7 == 2, "wire type %d", key & 7)
            length, at = varint(data, at)
            require(length <= len(data) - at, "length")
            value, at = data[at:at + length], at + length
        yield key >> 3, value


def unpacked(values):
    """All of a repeated integer field, packed or not."""
    found = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            one, at = varint(value, at)
            found.append(one)
    return found


def gathered(message):
    """{number: [values of that field]}"""
    found = {}
    for number, value in fields(message):
        found.setdefault(number, []).append(value)
    return found


def single(message):
    """A message without repeated fields as a dictionary."""
    return dict(fields(message))


def signed(value):
    return value - (1 << 64) if value >> 63 else value


class Sample:
    def __init__(self, profile, message):
        repeated = gathered(message)
        self.locations = unpacked(repeated.get(1, []))  # ids, leaf first
        values = [signed(value) for value in unpacked(repeated.get(2, []))]
        require(len(values) == len(profile.types), "values of a sample")
        self.values = dict(zip(profile.types, values))
        self.labels = {}
        for label in map(single, repeated.get(3, [])):
            self.labels[profile.texts[label[1]]] = profile.texts[label.get(2, 0)]

    @property
    def kind(self):
        return self.labels.get("mem_kind", "")


class Profile:
    """A profile read from `path`; raises Broken, OSError or zlib's errors."""

    def __init__(self, path):
        with gzip.open(path) as file:
            message = file.read()
        repeated = gathered(message)
        self.path = path
        self.texts = [text.decode("utf-8", "surrogateescape") for text in repeated.get(6, [])]
        require(self.texts and self.texts[0] == "", "string table")
        kinds = [single(value) for value in repeated.get(1, [])]
        self.types = [self.texts[kind[1]] for kind in kinds]
        self.units = [self.texts[kind[2]] for kind in kinds]
        self.mappings = {one[1]: one for one in map(single, repeated.get(3, []))}
        self.locations = {one[1]: one for one in map(single, repeated.get(4, []))}
        self.functions = {one[1]: self.texts[one.get(2, 0)]
                          for one in map(single, repeated.get(5, []))}
        self.samples = [Sample(self, one) for one in repeated.get(2, [])]
        self.period = repeated.get(12, [0])[0]
        self.default = self.texts[repeated.get(14, [0])[0]]
        self.comments = [self.texts[number] for number in unpacked(repeated.get(13, []))]
        self.facts = {}
        for comment in self.comments:
            if comment.startswith("heapdiff."):
                key, _, value = comment[len("heapdiff."):].partition(": ")
                self.facts[key] = value

    def check(self):
        """Raises Broken unless this is a profile as heapdiff must write it."""
        require(self.types == TYPES, "sample types %s", self.types)
        require(self.default == "inuse_space", "default type %s", self.default)
        require("unwind_differences" not in self.facts, "stacks unlike libunwind's")
        require(list(self.mappings) == list(range(1, len(self.mappings) + 1)), "mapping ids")
        require(list(self.locations) == list(range(1, len(self.locations) + 1)), "location ids")
        for one in self.locations.values():
            require(one.get(2, 0) in self.mappings, "a location without mapping")
        keys = set()
        kinds = ("", "ledger") if "go_rate_bytes" in self.facts else ("malloc", "mmap", "ledger")
        for sample in self.samples:
            key = (tuple(sample.locations), sample.kind)
            require(sample.locations, "an empty stack")
            sized = self.period > 1 and sample.kind in ("malloc", "") # one for each class of sizes
            require(sized or key not in keys, "a site twice: %s", key)
            keys.add(key)
            require(sample.kind in kinds, "mem_kind %r", sample.kind)
            values = sample.values
            require(0 <= values["inuse_objects"] <= values["alloc_objects"], "objects %s", values)
            require(0 <= values["inuse_space"] <= values["alloc_space"], "bytes %s", values)
            if not values["inuse_objects"]:
                require(not values["inuse_space"], "bytes of no object: %s", values)
        self.check_collections()
        return self

    def site_fact(self, ordinal):
        """Ages (bytes by number of collections), bytes live at the last marks, at the peak."""
        ages, history, peak = {}, [], 0
        for word in self.facts.get("site.%d" % ordinal, "").split():
            key, _, value = word.partition("=")
            if key == "h":
                for run in value.split(","):
                    each, _, times = run.partition("x")
                    history += [int(each)] * int(times or 1)
            elif key == "p":
                peak = int(value)
            else:
                ages[int(key)] = int(value)
        return ages, history, peak

    def check_collections(self):
        """at last + since - freed = live, for every site; and what its ages and its history add up to."""
        marks = int(self.facts.get("collections", 0))
        if "unclean_cuts" in self.facts or self.period > 1:
            return
        for ordinal, sample in enumerate(self.samples):
            if sample.kind == "ledger":
                continue
            for unit in ("objects", "space"):
                value = {key: sample.values[key + "_" + unit]
                         for key in ("alloc", "collected", "since", "survived", "inuse")}
                freed = value["collected"] + value["since"] - value["inuse"]
                require(0 <= value["since"] <= value["alloc"], "since %s", value)
                require(0 <= freed <= value["alloc"] - value["inuse"], "freed since %s", value)
                require(value["survived"] <= min(value["collected"], value["inuse"]) or
                        (unit, sample.kind) == ("objects", "mmap"), "survived %s", value)
                if not marks:
                    require(value["since"] == value["alloc"] and not value["survived"], "no marks")
            ages, history, _ = self.site_fact(ordinal)
            if marks and "ages" in self.facts:
                require(sum(ages.values()) == sample.values["inuse_space"], "ages %s", ages)
                require(sum(ages.values()) - ages.get(0, 0) == sample.values["survived_space"], "ages %s", ages)
            of_go = "go_rate_bytes" in self.facts  # one or two are known
            require((history or [0])[-1] == sample.values["collected_space"], "history %s", history)
            require(len(history) in ((0, 1, 2) if of_go else (0, min(marks, 8))), "history %s", history)

    def file(self, mapping):
        return self.texts[mapping.get(5, 0)]

    def total(self, kind, name):
        return sum(one.values[name] for one in self.samples if one.kind == kind)

    def frames(self, sample):
        """[(file, function or None)] of a sample, leaf first."""
        return [self.frame(location) for location in sample.locations]

    def frame(self, location):
        location = self.locations[location]
        mapping = self.mappings[location[2]]
        name = self.file(mapping)
        if name == "[ledger]":
            return name, self.functions[single(location[4])[1]]
        place = location.get(3, 0) - mapping.get(2, 0) + mapping.get(4, 0)
        return name, Elf.of(name).function(place)

    def lost(self):
        """Facts that say something was not recorded."""
        keys = ("lost_blocks", "lost_nested_events", "lost_ranges", "lost_snapshots")
        return {key: self.facts[key] for key in keys if self.facts.get(key, "0") != "0"}


class Elf:
    """The function symbols of a 64-bit little-endian ELF file; of any other file: none."""

    files = {}

    @classmethod
    def of(cls, path):
        if path not in cls.files:
            cls.files[path] = cls(path)
        return cls.files[path]

    def __init__(self, path):
        self.loads, self.symbols = [], []
        if not os.path.isfile(path):
            return
        with open(path, "rb") as file:
            data = file.read()
        if data[:6] != b"\x7fELF\2\1":
            return
        headers, sections = struct.unpack_from("<QQ", data, 32)
        entry, count, section_entry, section_count = struct.unpack_from("<HHHH", data, 54)
        for i in range(count):
            kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", data,
                                                                   headers + i * entry)
            if kind == 1:
                self.loads.append((offset, address, size))
        tables = [struct.unpack_from("<IIQQQQIIQQ", data, sections + i * section_entry)
                  for i in range(section_count)]
        for table in tables:
            if table[1] in (2, 11):  # SHT_SYMTAB, SHT_DYNSYM
                self.read_symbols(data, table, tables[table[6]])
        self.symbols.sort()

    def read_symbols(self, data, table, strings):
        for at in range(table[4], table[4] + table[5], 24):
            name, info, _, section, value, size = struct.unpack_from("<IBBHQQ", data, at)
            if info & 15 in (2, 10) and section and size:
                start = strings[4] + name
                text = data[start:data.index(b"\0", start)].decode()
                self.symbols.append((value, value + size, text))

    def function(self, place):
        """The function at a file offset, without compiler's suffixes, or None."""
        for offset, address, size in self.loads:
            if offset <= place < offset + size:
                address += place - offset
                at = bisect.bisect(self.symbols, (address, 1 << 64, "")) - 1
                if at >= 0 and address < self.symbols[at][1]:
                    return self.symbols[at][2].split(".")[0]
        return None
