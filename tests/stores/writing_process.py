"""A process that writes to a store: `python -m tests.stores.writing_process PATH FIRST STEP COUNT`.

It writes COUNT spectra and their results, numbers FIRST, FIRST + STEP, …, a transaction each, and prints each number
once it is written; an error of the store is printed on one line, and after it what can be read back.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.stores.samples import key, results, same, spectrum
from wqscore.stores.errors import StoreError
from wqscore.stores.store import Store


def main(path: str, first: str, step: str, count: str) -> None:
    numbers = range(int(first), int(first) + int(step) * int(count), int(step))
    try:
        with Store.open(Path(path)) as store:
            write(store, numbers)
    except StoreError as error:
        print(f"error {error}", flush=True)


def write(store: Store, numbers: range) -> None:
    for number in numbers:
        try:
            store.put({key(number): spectrum(number)}, results(number))
        except StoreError as error:
            print(f"error {error}", flush=True)
            found = store.spectra([key(n) for n in numbers])
            assert all(same(found[key(n)], spectrum(n)) for n in numbers if key(n) in found)
            print(f"left {len(found)}", flush=True)
            return
        print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
