"""Say what compressing a model costs at least."""

from wqscore.studies.compress.compress import compress as compress
