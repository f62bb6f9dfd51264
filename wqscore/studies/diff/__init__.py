"""Say what changed from one checkpoint to another."""

from wqscore.studies.diff.diff import diff as diff
