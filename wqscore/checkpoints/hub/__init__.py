"""Repositories on the Hugging Face Hub: download whole files, or read headers and byte ranges."""
