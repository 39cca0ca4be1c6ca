"""Evidence: receipts with everything that checking and reading them takes, in one file that is handed to somebody else."""
