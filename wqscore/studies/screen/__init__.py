"""Look for modules of an adapter that are unlike their siblings, or unlike those of adapters that you trust."""

from wqscore.studies.screen.screen import screen as screen
