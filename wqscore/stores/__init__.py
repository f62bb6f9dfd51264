"""The store: a cache of computed results in one SQLite file, keyed by the content they were computed from.

Values are read and written by key, in transactions, by several threads and processes at once, and must survive a
killed process. SQLite does all that, and every Python has it (`sqlite3`), so it adds no dependency. WAL mode lets
readers continue while one writer writes; it works on local disks but not on network file systems, so each machine of
a cluster has a separate store, and these are merged.
"""
