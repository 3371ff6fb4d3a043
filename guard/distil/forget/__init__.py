"""Forget objectives, one file each."""
