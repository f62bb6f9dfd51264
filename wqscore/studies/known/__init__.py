"""Published results of models, from benchmark tables and model cards."""
