"""What studies would read and solve, from headers alone."""

from wqscore.studies.costs.costs import costs as costs
