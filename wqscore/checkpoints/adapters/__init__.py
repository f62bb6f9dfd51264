"""PEFT adapters: which weights they change, by what, and the changed weights."""
