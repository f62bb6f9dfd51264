"""Outputs: CSV, JSON, Markdown, the terminal, and the HTML report."""
