"""PostgreSQL: a server of many processes, forked from one that is recorded, with shared memory and its own heaps."""

import glob
import os
import shutil
import signal
import subprocess

import harness
from ledger import UNATTRIBUTED_MAX, Ledger
from prof import Profile

CLIENTS = 3
WORK = """
set work_mem = '64MB';
create temp table words as select i, md5(i::text) as word from generate_series(1, 20000) i;
select count(*), md5(string_agg(word, ',' order by word)) from words;
select count(*) from words a join words b on a.word = reverse(reverse(b.word));
do $$ declare found text[]; begin
  for i in 1 .. 300 loop found := found || md5(i::text); end loop; raise notice '%', array_length(found, 1);
end $$;
select regexp_count(string_agg(word, ''), 'a[0-9]+b') from words where i < 3000;
select no_such_column from words;
"""
HOLD = """
set work_mem = '64MB';
begin;
declare held cursor for select md5(i::text) as word from generate_series(1, 100000) i order by word;
fetch 1 from held;
select 'pid ' || pg_backend_pid();
"""
HELD_BYTES_LEAST = 6 << 20  # 100,000 tuples of 33 bytes and their headers


def programs():
    """Where Debian keeps them; all in one place, or None."""
    places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True) + os.environ["PATH"].split(":")
    return next((place for place in places if all(
        os.path.exists(os.path.join(place, name)) for name in ("initdb", "postgres", "psql"))), None)


class Postgres(harness.Case):
    def setUp(self):
        super().setUp()
        self.programs = programs()
        if not self.programs:
            harness.skip("no PostgreSQL")
        self.user = []
        if os.getuid() == 0:  # it does not run as root; the build may be out of others' reach
            self.user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
            shutil.chown(self.directory, "nobody")
        self.preload = shutil.copy(harness.PRELOAD, self.directory)
        os.chmod(self.preload, 0o755)
        self.do("initdb", "-D", "db", "-N", "-A", "trust", "-U", "tester", "--locale=C", "-E", "UTF8")

    def words(self, name, *arguments):
        return [*self.user, os.path.join(self.programs, name), *arguments]

    def do(self, name, *arguments):
        done = self.run_program(self.words(name, *arguments), preload=False)
        self.assertEqual(done[0], 0, done)

    def serve(self, recorded):
        more = {"LD_PRELOAD": self.preload} if recorded else None
        options = "out=%s,signal=WINCH,only=^postgres$" % self.path("%n.%p.%c.prof")
        settings = ("fsync=off", "autovacuum=off", "jit=off", "log_line_prefix=", "max_connections=10",
                    "unix_socket_directories=" + self.directory, "listen_addresses=")
        arguments = [word for setting in settings for word in ("-c", setting)]
        server = self.start(self.words("postgres", "-D", "db", *arguments), options if recorded else None,
                            preload=recorded, more=more)
        asked = self.words("psql", "-h", self.directory, "-U", "tester", "-d", "postgres", "-c", "select 1")
        harness.wait_until(lambda: self.run_program(asked, preload=False)[0] == 0, "postgres")
        return server

    def client(self):
        return self.start(self.words("psql", "-X", "-q", "-A", "-t", "-h", self.directory, "-U", "tester", "-d",
                                     "postgres"), preload=False, stdin=subprocess.PIPE)

    def work(self):
        """What clients are told that work at the same time."""
        clients = [self.client() for _ in range(CLIENTS)]
        for client in clients:
            client.stdin.write(WORK.encode())
            client.stdin.close()
            client.stdin = None
        return [(*client.communicate(timeout=harness.LIMIT_SECONDS), client.wait()) for client in clients]

    def end(self, server):
        """(its status, what its log has of clients' mistakes and of its own)."""
        server.send_signal(signal.SIGINT)
        log = server.communicate(timeout=60)[1].decode()
        told = ("ERROR:", "STATEMENT:", "WARNING:", "PANIC:")
        return server.returncode, sorted(line for line in log.splitlines() if line.startswith(told))

    def hold(self):
        """A client whose backend keeps the memory of a sort: (client, the backend's pid)."""
        client = self.client()
        client.stdin.write(HOLD.encode())
        client.stdin.flush()
        lines = iter(client.stdout.readline, b"")
        return client, int(next(line.split()[1] for line in lines if line.startswith(b"pid ")))

    def check(self, pid, *how):
        """The ledger of a snapshot of `pid` now, which adds up."""
        self.heapdiff("snap", *how, str(pid), "-o", self.path("taken"))
        profile = Profile(self.path("taken")).check()
        self.assertEqual(profile.lost(), {})
        ledger = Ledger(profile)
        print("%s %d: rss %d sum %d drift %d unattributed %d" % (
            ledger.facts["program"], pid, ledger.rss(), ledger.total, ledger.drift(),
            ledger.sums["[unattributed]"]))
        self.assertEqual((ledger.drift(), ledger.total), (0, ledger.rss()))
        self.assertLessEqual(ledger.sums["[unattributed]"], UNATTRIBUTED_MAX)
        return profile, ledger

    def test_server(self):
        server = self.serve(recorded=False)
        plain = self.work(), self.end(server)
        server = self.serve(recorded=True)
        told = self.work()
        client, pid = self.hold()
        for how in ((), ("--exact",)):
            profile, ledger = self.check(pid, *how)
            self.assertGreater(profile.total("malloc", "inuse_space"), HELD_BYTES_LEAST)
            self.assertGreater(ledger.sums["live"], HELD_BYTES_LEAST)
            self.assertGreater(ledger.sums["mapped"], 1 << 20, "what the postmaster shares with all")
        self.check(server.pid)
        client.communicate(timeout=60)
        self.assertEqual((told, self.end(server)), plain)
        found = [Profile(path).check() for path in self.profiles("postgres.*.prof")]
        self.assertGreater(len(found), CLIENTS + 5, "postmaster, its helpers, a backend for each client")
        for profile in found:
            self.assertEqual(profile.lost(), {})


if __name__ == "__main__":
    harness.main()
