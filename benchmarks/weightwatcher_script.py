"""Print WeightWatcher's table of a folder, the one argument, in the ten lines that a user would write."""

import logging
import sys

import weightwatcher

logging.getLogger().setLevel(logging.ERROR)
watcher = weightwatcher.WeightWatcher(model=sys.argv[1])
table = watcher.analyze(plot=False)
print(table.to_csv(index=False))
