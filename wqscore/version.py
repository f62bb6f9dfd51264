"""The package's version, alone so that asking for it imports nothing else."""

__version__ = "0.5.0"
