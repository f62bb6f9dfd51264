"""The phases of a grid of trained networks, and heat maps of any of its numbers."""

from wqscore.studies.phase.phase import phase

__all__ = ["phase"]
