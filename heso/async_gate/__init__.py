"""The gate: capture, evaluate, sign, append, and only then the body."""
