"""The command line: `python -m bench peers curves soak replicas`. See `bench/README.md`, or `make bench`."""

import argparse
import resource
import signal
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NoReturn

import msgspec

from bench import curves, replicas, report, rounds, soak
from bench.peers.catalogue import PEERS
from bench.results import Machine, Results
from bench.sizes import SIZES
from bench.stage import Stage

PARTS = ("peers", "curves", "soak", "replicas")


def main() -> None:
    """Measure what is asked for, and write the report after each part."""
    asked = _arguments()
    size = SIZES[asked.size]
    if asked.repeats:
        size = msgspec.structs.replace(size, repeats=asked.repeats, curve_repeats=asked.repeats)
    _end_on(signal.SIGTERM)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    results = Results.kept(asked.folder)
    with Stage(size.idle) as stage:
        machine, results.size = Machine.this(str(stage.cores)), size.name
        for part in asked.parts:
            results.machines[part] = machine
            match part:
                case "peers":
                    peers = [PEERS[name] for name in asked.peers]
                    results.peers |= rounds.measure(stage, size, peers, here=asked.here)
                case "curves":
                    results.curves |= curves.measure(stage, size, asked.curves, here=asked.here)
                case "replicas":
                    results.replicas, results.committing = replicas.measure(stage, size, here=asked.here)
                case _:
                    results.soak = soak.measure(stage, size, here=asked.here)
            results.keep(asked.folder)
            report.write(results, asked.folder)
    sys.stdout.write(f"Written: {asked.folder / 'report.md'}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"what is measured: {' '.join(PARTS)} (default: all)")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--repeats", type=int, help="instead of what the size says")
    parser.add_argument("--peers", type=_list_of(PEERS), default=list(PEERS), help="comma-separated; default: all")
    parser.add_argument("--curves", type=_list_of(curves.CURVES), default=list(curves.CURVES), help="comma-separated")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="where the report is written")
    parser.add_argument("--here", action="store_true", help="make no environments; measure what this Python can run")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}. There are {', '.join(PARTS)}")
    return asked


def _list_of(known: Collection[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        asked = text.split(",")
        if unknown := [name for name in asked if name not in known]:
            raise argparse.ArgumentTypeError(f"there is no {unknown[0]}")
        return asked

    return names


def _end_on(number: signal.Signals) -> None:
    def end(*_: object) -> NoReturn:
        raise SystemExit(128 + number)

    signal.signal(number, end)


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("The benchmark needs Linux: it pins processes to cores and reads /proc.")
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
