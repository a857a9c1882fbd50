"""Work for python3 under the preload: a little of much of the standard library."""
import collections
import csv
import decimal
import hashlib
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import zlib
from xml.etree import ElementTree

words = ("heap diff site block range stack " * 300).split()
counter = collections.Counter(words)
print(sorted(counter.items()))

text = json.dumps({str(i): list(range(i % 50)) for i in range(2000)}, sort_keys=True)
print(hashlib.sha256(text.encode()).hexdigest(), len(json.loads(text)))
packed = zlib.compress(text.encode(), 9)
print(zlib.crc32(zlib.decompress(packed)))
print(len(re.findall(r"(\d+), (\d*3)\b", text)))
decimal.getcontext().prec = 200
print(decimal.Decimal(2).sqrt())

database = sqlite3.connect(":memory:")
database.execute("create table t (a integer primary key, b text)")
database.executemany("insert into t values (?, ?)", ((i, words[i % 7] * 3) for i in range(5000)))
print(database.execute("select b, count(*) from t group by b order by b").fetchall())

root = ElementTree.Element("root")
for i in range(500):
    ElementTree.SubElement(root, "item", number=str(i)).text = words[i]
print(len(ElementTree.tostring(root)))
out = io.StringIO()
csv.writer(out).writerows([i, i * i, words[i]] for i in range(1000))
print(hashlib.md5(out.getvalue().encode()).hexdigest())

sums = []
threads = [threading.Thread(target=lambda n=n: sums.append(sum(len(str(i)) for i in range(n))))
           for n in range(1000, 9000, 1000)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(sums))

print(subprocess.run(["cat"], input=b"through a pipe", stdout=subprocess.PIPE).stdout)
child = os.fork()
if child == 0:
    kept = [bytearray(1000) for _ in range(100)]
    os._exit(len(kept) % 256)
print(os.waitpid(child, 0)[1] >> 8)
sys.stdout.flush()
sys.exit(5)
