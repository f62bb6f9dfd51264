"""What is wrong with a site that was built before."""

from wqscore.errors import UsageError


class SiteError(UsageError):
    """A folder that is no site, or one whose files are damaged: nothing is written over it."""
