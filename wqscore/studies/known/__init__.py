"""Results that are known of models: benchmark tables and model cards."""
