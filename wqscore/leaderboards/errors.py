"""The error of a site's folder that can't be used."""

from wqscore.errors import UsageError


class SiteError(UsageError):
    """A folder that is not a site, or has damaged files; it is left unchanged."""
