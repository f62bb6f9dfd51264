"""How metrics go with results that are known from elsewhere."""
