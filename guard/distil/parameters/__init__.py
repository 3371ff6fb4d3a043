"""Which weights move, one file each."""
