"""The embedded model's process: `python -m app.providers.local_worker MODEL SLOTS SLOT_TOKENS`.

It reads its key as one line from stdin, answers with its address as one line on stdout, and serves until stdin closes,
which the system does for whoever started it, however that ended. Nothing else is ever written anywhere.
"""

import ctypes
import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # from linux/prctl.h
OOM_SCORE = "500"  # of -1000 to 1000: where memory runs out, the kernel takes this process and not the service


def main() -> None:
    """Serve until stdin closes."""
    _yield_to_the_parent()
    answer = _silence()
    key = sys.stdin.readline().strip()
    if not key:
        return  # the parent is gone already
    # Loading holds the GIL, so this thread hears of the parent's end only after it; on Linux the kernel acts at once.
    threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
    model, slots, slot_tokens = sys.argv[1:]
    llama: Any = import_module("xllamacpp")  # an extra without type stubs; now that stdout is safe from it
    server: Any = llama.Server(_configure(llama.CommonParams(), model, key, int(slots), int(slot_tokens)))
    with os.fdopen(answer, "w") as line:
        line.write(f"{server.listening_address}\n")
    threading.Event().wait()  # the server has threads of its own; `server` must stay referenced


def _yield_to_the_parent() -> None:
    """Where one of the two has to die, it is this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):  # a hardened container may forbid even this
            Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)


def _silence() -> int:
    """Send what llama.cpp prints, which may hold prompts, nowhere; return a descriptor of what was stdout."""
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answer


def _end_with_the_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)  # at once: there is nothing to save, and an orderly end would wait for answers nobody reads


def _configure(params: Any, model: str, key: str, slots: int, slot_tokens: int) -> Any:
    params.model.path = model
    params.offline = True

    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False  # it shows what others ask
    params.endpoint_props = False
    params.endpoint_metrics = False
    params.verbosity = -1

    params.n_parallel = slots
    params.cont_batching = True
    params.n_ctx = slots * slot_tokens
    params.kv_unified = False  # one pool would let a long answer break off another's
    params.ctx_shift = False  # a full slot ends with "length" instead of silently forgetting the start
    params.cache_ram_mib = 0  # else up to 8 GiB of prompts that have already been answered
    threads = _threads()
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    return params


def _threads() -> int:
    """As many as there are cores. No lower priority (nice): the threads wait for each other by spinning, and a busy
    neighbour would then stop them all.
    """
    # In a container the affinity can name fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


if __name__ == "__main__":
    main()
