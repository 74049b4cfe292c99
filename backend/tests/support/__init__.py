"""The harness: everything a scenario needs to act on the real service through real sockets and real processes."""
