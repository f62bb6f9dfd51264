"""PEFT adapters: find the weights they change, read ΔW, and merge it into the base model."""
