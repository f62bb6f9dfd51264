"""Pytest looks for doctests in every module; those that write the seeds need tools that no test does."""

collect_ignore = ["seeds.py", "pair_seeds.py"]
