"""Runs a program on one core: `python -ISs pinned.py CORE PROGRAM ...`. It dies with whoever started it (Linux)."""

import ctypes
import os
import signal
import sys

_PARENT_DEATH = 1  # PR_SET_PDEATHSIG

ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
os.sched_setaffinity(0, {int(sys.argv[1])})
os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command is the benchmark's own
