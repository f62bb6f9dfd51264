"""Follow every metric along a training, and say where one turns."""

from wqscore.studies.track.track import track as track
