"""Say which transformations leave a model's function alone, and how far its metrics move under them."""

from wqscore.studies.symmetry.symmetry import symmetry as symmetry
