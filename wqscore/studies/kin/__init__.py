"""Say which models share weights."""

from wqscore.studies.kin.kin import kin as kin
