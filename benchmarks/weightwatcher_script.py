"""The ten lines a person writes to get the same table from WeightWatcher; the one argument is a folder."""

import logging
import sys

import weightwatcher

logging.getLogger().setLevel(logging.ERROR)
watcher = weightwatcher.WeightWatcher(model=sys.argv[1])
table = watcher.analyze(plot=False)
print(table.to_csv(index=False))
