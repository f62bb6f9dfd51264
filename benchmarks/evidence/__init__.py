"""What the record of decisions teaches: learned on development families, looked at once on the test families."""
