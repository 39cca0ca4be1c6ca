"""Waiting: what was suspended is resumed, once, by whoever comes first; deadlines pass; the dead are found."""
