"""How the forget and the retain loss become one update, one file each."""
