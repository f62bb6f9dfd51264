"""Repositories on the Hugging Face Hub: fetch whole files, or read headers and ranges of bytes."""
