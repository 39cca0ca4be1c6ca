"""Bytes and values: the HESO/1 wire format and the verifier.

Nothing here does I/O, reads a clock, draws a random number or logs. Time, salts and keys are handed in.
"""
