"""Methods that own the whole run, one file each."""
