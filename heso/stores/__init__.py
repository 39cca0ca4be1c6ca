"""Where receipts, tickets and reveals are kept. Memory is the reference; every store passes one conformance suite."""
