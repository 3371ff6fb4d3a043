"""Metrics, suites and reference methods that guard is compared with."""
