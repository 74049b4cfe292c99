"""Benchmarks. Each is a module that prints where it is, and writes a page beside itself."""
