"""The store: what was computed before, by the content it was computed from, in one SQLite file.

SQLite through Python's own `sqlite3`, without another dependency: the values are read and written by key, in
transactions, by several threads and processes at once, and must outlive a killed one. That is what SQLite is, and
every Python has it. WAL mode lets readers go on while one writer writes; it works on a disk of the machine itself and
not on a network file system, so each machine of a cluster has a store of its own, and they are merged.
"""
