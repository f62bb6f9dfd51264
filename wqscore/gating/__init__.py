"""Gates: a model held to rules, for a pipeline that stops where one fails."""
