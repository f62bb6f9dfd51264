"""What people do with scores."""
