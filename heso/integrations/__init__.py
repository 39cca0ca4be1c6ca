"""The gate, put where other libraries send their requests. One file per library; nothing here is imported by name unless used."""
