"""`functools.cached_property` as it is from Python 3.12 on: without a lock.

Python 3.11 computes a property under a lock that all instances share, so that no two threads can solve or fit at a
time. Without it, threads that ask one instance at once may each compute the value, and the same one is kept.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property:  # noqa: N801 - in place of a class of Python's
        """A property that is computed when it is first read."""

        def __init__(self, function):
            self._function, self.__doc__ = function, function.__doc__

        def __set_name__(self, owner, name):
            self._name = name

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            value = instance.__dict__[self._name] = self._function(instance)
            return value


__all__ = ["cached_property"]
