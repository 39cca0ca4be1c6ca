"""The policy language: a reviewed TOML file in, one decision per action out. Pure, compiled once."""
