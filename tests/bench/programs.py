"""Real programs, each with a fixed piece of work of some tenths of a second."""

import collections
import operator
import os
import subprocess
import sys
import time

import contest

Program = collections.namedtuple("Program", "name needs prepare command variables")

SOURCE = os.path.dirname(os.path.abspath(__file__))
CLIENT_SECONDS = 60
DENSE = ("digits (bignum)",)  # little but allocation: slow recorders would take minutes

PYTHON = """
import json, re
class Node:
    def __init__(self, left, right):
        self.left, self.right = left, right
def tree(depth):
    return Node(tree(depth - 1), tree(depth - 1)) if depth else None
for turn in range(3):
    text = json.dumps([{"key%d" % i: [i, str(i), i / 7]} for i in range(12000)])
    total = sum(len(entry) for entry in json.loads(text))
    words = {}
    for word in re.findall(r"[a-z]+\\d+", text):
        words[word] = words.get(word, 0) + 1
    tree(14)
print(total, len(words))
"""
SQL = """
create table event(id integer primary key, name text, at integer);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 120000)
  insert into event select i, 'event ' || (i * 7919 % 120000), i % 1000 from n;
create index by_name on event(name);
select count(*), max(length(a.name || b.name)) from event a join event b on a.name = b.name;
select group_concat(name) from (select name, count(*) from event group by at order by 2, 1 limit 9);
"""
PERL = """
my %words; my @list;
for my $i (1 .. 400000) { my $word = "w" . ($i * 7919 % 30011); $words{$word} .= "x$i"; }
push @list, [split /x/, $words{$_}] for sort keys %words;
print scalar(@list), " ", join(",", map { scalar @$_ } @list[0 .. 9]), "\\n";
"""
NODE = """
const text = JSON.stringify(Array.from({length: 40000}, (_, i) => ({key: 'k' + i, list: [i, '' + i]})));
let total = 0;
for (let turn = 0; turn < 4; turn++) {
  const words = new Map();
  for (const entry of JSON.parse(text)) words.set(entry.key, entry.list.map(x => x + '!'));
  total += Buffer.from([...words.values()].join()).toString('base64').length;
}
console.log(total);
"""
REDIS_WORK = ["-n", "60000", "-r", "50000", "-d", "100", "-c", "20", "-P", "16", "-q", "-t",
              "set,lpush,sadd,hset,zadd,incr"]


def prepare_cc1plus(directory):
    subprocess.run(["g++", "-E", "-O1", os.path.join(SOURCE, "words.cc"), "-o", "words.ii"],
                   cwd=directory, check=True)


def prepare_cc1(directory):
    """A file of C that no header of this machine changes."""
    body = ("    for (int i = 0; i < n; i++) {\n        switch ((a[i] ^ %d) & 7) {\n"
            "        case 0: a[i] += b[n - i - 1] * %d; break;\n"
            "        case 3: b[i] = f%d(a, b, i / 2); break;\n"
            "        default: a[i] ^= b[i] >> %d;\n        }\n    }\n    return a[0] + b[n / 2];\n")
    with open(directory + "/functions.i", "w") as file:
        file.write("int f0(int *a, int *b, int n) { return a[n] + b[n]; }\n")
        for i in range(1, 80):
            file.write("int f%d(int *a, int *b, int n)\n{\n%s}\n" % (
                i, body % (i, i * 31, i - 1, i % 13)))


def prepare_git(directory):
    """A repository of 60 commits over 40 files."""
    lines = []
    for commit in range(60):
        lines += ["commit refs/heads/main", "committer A <a@b> %d +0000" % (1700000000 + commit),
                  "data 2", "c", ""]
        for number in range(40):
            text = "".join("line %d of %d\n" % (i * (commit // (i % 9 + 1)), number)
                           for i in range(150))
            lines += ["M 644 inline file%d.txt" % number, "data %d" % len(text), text]
    subprocess.run(["git", "init", "-q", "-b", "main", "repository"], cwd=directory, check=True)
    subprocess.run(["git", "-C", "repository", "fast-import", "--quiet"], cwd=directory, check=True,
                   input="\n".join(lines).encode())


def compiler(name):
    """The path of the compiler proper: the driver would have it run by a child."""
    driver = "g++" if name == "cc1plus" else "gcc"
    if not contest.have(driver):
        return name
    return subprocess.run([driver, "-print-prog-name=" + name], check=True,
                          stdout=subprocess.PIPE).stdout.decode().strip()


def nothing(_directory):
    """There is nothing to prepare."""


def listing():
    """Every program, whether this machine has it or not."""
    no_git_settings = {"GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent", "GIT_PAGER": "cat"}
    return [
        Program("python3", "/usr/bin/python3", nothing, ["/usr/bin/python3", "-S", "-c", PYTHON],
                {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}),
        Program("cc1plus", compiler("cc1plus"), prepare_cc1plus,
                [compiler("cc1plus"), "-quiet", "-fpreprocessed", "-O1", "words.ii", "-o", "words.s"],
                {}),
        Program("cc1", compiler("cc1"), prepare_cc1,
                [compiler("cc1"), "-quiet", "-fpreprocessed", "-O2", "functions.i", "-o", "functions.s"],
                {}),
        Program("sqlite3", "sqlite3", nothing, ["sqlite3", ":memory:", SQL], {}),
        Program("perl", "perl", nothing, ["perl", "-e", PERL], {"PERL_HASH_SEED": "0"}),
        Program("node", "node", nothing, ["node", "-e", NODE], {}),
        Program("git log", "git", prepare_git,
                ["git", "-C", "repository", "log", "-p", "--stat", "main"], no_git_settings),
        Program("words (STL)", contest.BENCH + "/words", nothing, [contest.BENCH + "/words", "12"],
                {}),
        Program("digits (bignum)", contest.BENCH + "/digits", nothing,
                [contest.BENCH + "/digits", "1200000"], {}),
    ]


def wait_for(ready, process):
    """Waits until ready(); raises if the process ends before."""
    end = time.monotonic() + CLIENT_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError("the server did not start")
        time.sleep(0.01)


def run_redis(contestant, directory):
    """The server's own CPU and memory, while a client asks it a fixed number of things."""
    socket = directory + "/redis.sock"
    server = subprocess.Popen(
        contest.lap_command(contestant, ["redis-server", "--port", "0", "--unixsocket", socket,
                                         "--save", "", "--appendonly", "no"], directory),
        cwd=directory, env=contest.clean_environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: os.path.exists(socket), server)
        subprocess.run(["redis-benchmark", "-s", socket, *REDIS_WORK], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["redis-cli", "-s", socket, "shutdown", "nosave"], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server.wait(CLIENT_SECONDS)
    finally:
        server.kill()
    return contest.lap_read(directory)


def add(outcome, name, contestants, results):
    place = ("programs", name)
    outcome.add(place, "plain", "CPU s", [run.cpu_ns / 1e9 for run in results["plain"]])
    outcome.add_paired(place, contestants, results,
                       ("CPU ratio", lambda run: run.cpu_ns, operator.truediv))
    outcome.add_paired(place, contestants, results,
                       ("RSS ratio", lambda run: run.peak_bytes, operator.truediv))
    for contestant in contestants:
        sizes = [run.profile_bytes for run in results[contestant.name]]
        if any(sizes):
            outcome.add(place, contestant.name, "profile bytes", sizes)


def measure(outcome, contestants, count, names=None):
    """Every program that the machine has (or those of `names`), by every contestant in turn."""
    for program in listing():
        if names and program.name not in names:
            continue
        if not contest.have(program.needs):
            print("  %s: not installed" % program.name)
            continue
        patient = [who for who in contestants if not (who.slow and program.name in DENSE)]
        with contest.scratch() as directory:
            program.prepare(directory)
            results = contest.rounds(patient, count, lambda who: contest.run(
                who, program.command, directory, program.variables))
        add(outcome, program.name, patient, results)
    if contest.have("redis-server") and contest.have("redis-benchmark") and (
            not names or "redis-server" in names):
        with contest.scratch() as directory:
            results = contest.rounds(contestants, count, lambda who: run_redis(who, directory))
        add(outcome, "redis-server", contestants, results)
    everywhere = [who for who in contestants if not who.slow]
    for contestant in everywhere:
        for ratio in ("CPU ratio", "RSS ratio"):
            means = outcome.geometric_means(contestant.name, ratio)
            if means:
                outcome.add(("programs", "geometric mean"), contestant.name, ratio, means)
    sys.stdout.flush()
