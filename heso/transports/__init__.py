"""How things travel to other machines. Each module needs an extra, and is imported by name."""
