"""What a call really touches, by published data: the HESO/1 resource and effect taxonomy."""
