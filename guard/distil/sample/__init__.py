"""Which rows meet in a step, one file each."""
