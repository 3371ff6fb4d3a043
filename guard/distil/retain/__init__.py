"""Retain objectives, one file each."""
