"""Reports of made-up profiles, compared with golden/. After a wanted change:

    TZ=UTC HEAPDIFF_BUILD=build python3 tests/data/golden.py --write
"""

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
COMMAND = os.path.join(os.path.abspath(os.environ.get("HEAPDIFF_BUILD", "build")),
                       "src/cli/heapdiff")
GOLDEN = os.path.join(HERE, "golden")

CASES = {
    "size.txt": "new.prof",
    "growth.txt": "--base old.prof new.prof",
    "growth_moved.txt": "--base old.prof moved.prof",
    "growth_rebuilt.txt": "--base old.prof rebuilt.prof",
    "growth_all.txt": "--top 0 --base old.prof new.prof",
    "growth_no_skip.txt": "--no-skip --base old.prof new.prof",
    "growth_lines.txt": "--lines --unit KiB --top 4 --base old.prof new.prof",
    "growth_files.txt": "-files -diff_base=old.prof new.prof",
    "objects.txt": "-inuse_objects -normalize -base=old.prof new.prof",
    "focus.txt": "--focus serve --ignore cache --color=always --base old.prof new.prof",
    "same.txt": "--base new.prof new.prof",
    "top.txt": "-top -base old.prof new.prof",
    "cum.txt": "-cum -nodefraction=0 new.prof",
    "addresses.txt": "-top -addresses new.prof",
    "tree.txt": "-tree -base old.prof new.prof",
    "traces.txt": "-traces -top 3 new.prof",
    "sampled.txt": "sampled_new.prof",
    "sampled_growth.txt": "--base sampled_old.prof sampled_new.prof",
    "sampled_from_exact.txt": "--base old.prof sampled_new.prof",
    "sampled_top.txt": "-top -base sampled_old.prof sampled_new.prof",
    "sampled_traces.txt": "-traces -top 2 sampled_new.prof",
    "sampled_objects.txt": "-inuse_objects -normalize -base sampled_old.prof sampled_new.prof",
    "sampled.json": "--json --base sampled_old.prof sampled_new.prof",
    "ledger.txt": "ledger.prof",
    "ledger_sampled.txt": "ledger_sampled.prof",
    "ledger_growth.txt": "--base ledger_old.prof ledger.prof",
    "ledger_shrunk.txt": "--unit KiB --base ledger.prof ledger_old.prof",
    "ledger_same.txt": "--base ledger.prof ledger.prof",
    "ledger_of_one.txt": "--base old.prof ledger.prof",
    "ledger_focus.txt": "--focus serve --top 2 --color=always ledger.prof",
    "ledger_top.txt": "-top -sample_index=resident_space ledger.prof",
    "ledger_traces.txt": "-traces -top 3 -resident_space -focus \\[pinned\\] ledger.prof",
    "ledger.json": "--json ledger.prof",
    "ledger_growth.json": "--json --base ledger_old.prof ledger.prof",
    "marked.txt": "marked.prof",
    "marked_history.txt": "collections marked.prof",
    "marked_history.json": "collections --json marked.prof",
    "marked_growth.txt": "--collected --base shrunk.prof marked.prof",
    "marked_traces.txt": "-traces -top 2 marked.prof",
    "marked.json": "--json -top marked.prof",
    "shrunk_history.txt": "collections --unit KiB shrunk.prof",
    "stale.txt": "--collected stale.prof",
    "stale_history.txt": "collections stale.prof",
    "fresh_history.txt": "collections fresh.prof",
    "go_text_history.txt": "collections go_heap.txt",
    "go_text.txt": "go_heap.txt",
    "go_text_alloc.txt": "-alloc_space -lines -top go_heap.txt",
    "report.json": "--json --base old.prof new.prof",
    "size.json": "--json -top -alloc_space new.prof",
}


def report(directory, arguments):
    environment = {"TZ": "UTC", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([COMMAND, *arguments.split()], cwd=directory, env=environment,
                          capture_output=True, text=True, timeout=60, check=False)
    if done.returncode or done.stderr:
        raise SystemExit("heapdiff %s: %d %s" % (arguments, done.returncode, done.stderr))
    return re.sub(r'"heapdiff": "[^"]*"', '"heapdiff": "VERSION"', done.stdout)


def main(write):
    bad = 0
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([sys.executable, os.path.join(HERE, "make_profiles.py"), directory],
                       check=True)
        shutil.copy(os.path.join(HERE, "go_heap.txt"), directory)
        for name, arguments in CASES.items():
            text, path = report(directory, arguments), os.path.join(GOLDEN, name)
            if write:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                continue
            with open(path, encoding="utf-8") as file:
                want = file.read()
            if text != want:
                bad += 1
                sys.stdout.writelines(difflib.unified_diff(
                    want.splitlines(True), text.splitlines(True), name, "heapdiff " + arguments))
            wide = [line for line in text.splitlines() if len(line) > 100]
            if name.endswith(".txt") and wide and "traces" not in name and "focus" not in name:
                bad += 1
                print("%s: wider than 100 columns: %s" % (name, wide[0]))
    print("%d of %d reports differ" % (bad, len(CASES)))
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--write"]):
        print("usage: golden.py [--write]", file=sys.stderr)
        sys.exit(2)
    sys.exit(main("--write" in sys.argv))
