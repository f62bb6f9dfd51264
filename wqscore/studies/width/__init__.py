"""How many neurons a model needs to compute what it computes."""

from wqscore.studies.width.width import width as width
