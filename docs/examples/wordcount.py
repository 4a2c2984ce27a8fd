"""Counts the words of all the text it finds on this machine, with Dask.

An ordinary Dask script: nothing in it knows how many workers there are, or that they come and go.

    python wordcount.py                                               # on a cluster of its own
    DASK_SCHEDULER_ADDRESS=tcp://127.0.0.1:8786 python wordcount.py   # on yours
"""

import re
import sysconfig
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from itertools import chain, cycle
from pathlib import Path
from random import choices

from distributed import Client

VOLUME = 32_000_000  # bytes of text to count; what there is gets counted again until this is reached
CHUNKS = 40
WORD = re.compile(r"[a-z]+")


def main():
    files = find_text()
    chunks = [files[number::CHUNKS] for number in range(CHUNKS)]
    with Client() as client:  # connects to DASK_SCHEDULER_ADDRESS, or starts a cluster of its own
        with phase("1. words of all files: two big tasks"):
            words = sum(client.gather(client.map(count_words, [files[::2], files[1::2]])), Counter())
        common = frozenset(word for word, _ in words.most_common(200))

        with phase(f"2. words close to each other: {CHUNKS} tasks at once"):
            near = sum(client.gather(client.map(count_pairs, chunks, within=10, common=common)), Counter())
        (one, other), often = next(pair for pair in near.most_common() if len(set(pair[0])) == 2)
        print(f"   most often together: '{one} ... {other}', {often:,} times. Time to think about that.")
        time.sleep(7)  # a person reads; the workers have nothing to do

        with phase(f"3. words farther apart: {CHUNKS} tasks, then a tree of sums"):
            parts = client.map(count_pairs, chunks, within=20, common=common)
            while len(parts) > 1:
                parts = client.map(add, parts[::2], parts[1::2] + [None] * (len(parts) % 2))
            far = parts[0].result()
        print(f"   {far.total():,} pairs of words")

        with phase("4. phase 2 once more as one long task, to check the sum of the chunks"):
            whole = client.submit(count_pairs, files, within=10, common=common).result()
    report(words, near, whole)


def find_text(volume=VOLUME):
    """Paths of text files, together of about this volume, from large to small."""
    places = [sysconfig.get_path("stdlib"), "/usr/share/doc", "/usr/share/common-licenses"]
    found = [path for place in places for path in Path(place).rglob("*") if is_text(path)]
    supply = cycle(sorted(found) or [invent_text()])
    chosen = []
    while volume > 0:
        chosen.append(next(supply))
        volume -= chosen[-1].stat().st_size
    return sorted(chosen, key=lambda path: path.stat().st_size, reverse=True)


def is_text(path):
    wanted = path.suffix in {".py", ".txt", ".rst", ""} and "site-packages" not in path.parts
    return wanted and path.is_file() and path.stat().st_size > 0


def invent_text():
    """A file of invented words, for a machine without any text."""
    path = Path(tempfile.mkdtemp()) / "invented.txt"
    path.write_text(" ".join("".join(choices("aeiourst", k=3)) for _ in range(100_000)))
    return path


def words_of(path):
    """The words of one file. Workers read it themselves, so they have to run on this machine."""
    return WORD.findall(path.read_text(encoding="utf-8", errors="ignore").lower())


def count_words(files):
    return Counter(chain.from_iterable(map(words_of, files)))


def count_pairs(files, within, common):
    """How often two common words stand in one file, this close to each other."""
    counts = Counter()
    for path in files:
        words = [word if word in common else None for word in words_of(path)]
        for distance in range(1, within + 1):
            pairs = zip(words, words[distance:], strict=False)
            counts.update(pair for pair in pairs if None not in pair)
    return counts


def add(some, more):
    return some if more is None else some + more


@contextmanager
def phase(title):
    print(title, end=" ... ", flush=True)
    begun = time.perf_counter()
    yield
    print(f"{time.perf_counter() - begun:.1f} s", flush=True)


def report(words, near, whole):
    verdict = "equal" if near == whole else "NOT EQUAL: a result was lost or counted twice"
    print(f"   pairs: {near.total():,} in {CHUNKS} chunks, {whole.total():,} as a whole: {verdict}")
    print(f"The ten most common of {words.total():,} words:")
    for word, count in words.most_common(10):
        print(f"   {count:9,}  {word}")
    if near != whole:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
