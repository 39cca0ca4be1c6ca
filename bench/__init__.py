"""Ratios measured in one run: heso against the least Python that could do its work, and against a peer.

Nothing here is imported by the package. `python -m bench.run` is the only door; `README.md` says how to read it.
"""
