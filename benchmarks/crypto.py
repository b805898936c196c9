"""How fast the encryption is, beside other libraries in the same run.

    python3 benchmarks/crypto.py [--rounds N] [--json FILE]

Measured in turns, round by round, so that a busy moment meets all alike; what is printed are
medians in microseconds of processor time, and ratios of our median to the other's. Among the others
is a floor: the calls to primitives that our messages take, without the rest. The other libraries
are measured if they are installed: ``pip install DoubleRatchet X3DH vodozemac``.
"""

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._crypto_floor import Primitives
from benchmarks._crypto_peers import DoubleRatchet, Pair, SecureChat, Vodozemac

TEXT = b"x" * 100
STREAM = 200
TURNS = 40
SET_UPS = 5
LATE = 40  # vodozemac keeps no more skipped keys

Figures = dict[str, float]


def _timed(work: Callable[[], object], operations: int) -> float:
    """Microseconds of processor time an operation; no library here uses a second thread.

    As timeit does, garbage is collected before and not during the measurement.
    """
    gc.collect()
    gc.disable()
    try:
        began = time.process_time()
        work()
        return (time.process_time() - began) / operations * 1e6
    finally:
        gc.enable()


def _round(pair: Pair) -> Figures:
    """One round of everything."""

    def set_up() -> None:
        for _ in range(SET_UPS):
            pair.set_up()

    pair.prepare(SET_UPS)
    figures = {"set-up": _timed(set_up, SET_UPS)}
    sealed = pair.seal(1, TEXT)
    pair.open(sealed)
    figures["encrypt"] = _timed(lambda: sealed.extend(pair.seal(STREAM, TEXT)), STREAM)
    del sealed[0]
    figures["decrypt"] = _timed(lambda: pair.open(sealed), STREAM)
    figures["stream"] = figures["encrypt"] + figures["decrypt"]
    figures["ping-pong"] = _timed(lambda: pair.ping_pong(TURNS, TEXT), 2 * TURNS)
    backwards = pair.seal(LATE, TEXT)[::-1]
    figures["out of order"] = _timed(lambda: pair.open(backwards), LATE)
    figures["message bytes"] = pair.size(sealed[1])
    figures["state bytes"] = pair.state()
    return figures


def _contestants() -> list[Pair]:
    pairs: list[Pair] = [SecureChat(), Primitives()]
    for kind in (Vodozemac, DoubleRatchet):
        try:
            pairs.append(kind())
        except ImportError:
            print(f"{kind.name} is not installed and was not measured")
    return pairs


def measure(rounds: int) -> dict[str, Figures]:
    """The medians of every library."""
    pairs = _contestants()
    for pair in pairs:
        _round(pair)  # warm
    taken: dict[str, list[Figures]] = {pair.name: [] for pair in pairs}
    for _ in range(rounds):
        for pair in pairs:
            taken[pair.name].append(_round(pair))
    return {
        name: {what: statistics.median(each[what] for each in figures) for what in figures[0]}
        for name, figures in taken.items()
    }


def _print(medians: dict[str, Figures]) -> None:
    ours = medians[SecureChat.name]
    others = [name for name in medians if name != SecureChat.name]
    print(f"{'':14}" + "".join(f"{name:>16}" for name in medians), end="")
    print("".join(f"{'ratio to ' + name:>24}" for name in others))
    for what in ours:
        values = "".join(f"{figures[what]:16.1f}" for figures in medians.values())
        ratios = "".join(_ratio(ours[what], medians[name][what]) for name in others)
        print(f"{what:14}{values}{ratios}")


def _ratio(ours: float, others: float) -> str:
    return f"{ours / others:24.2f}" if others else f"{'':24}"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure the encryption beside other libraries.")
    parser.add_argument("--rounds", type=int, default=21, help="rounds; medians are taken of them")
    parser.add_argument("--json", type=Path, help="write the medians to this file")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    medians = measure(arguments.rounds)
    _print(medians)
    if arguments.json:
        arguments.json.write_text(json.dumps(medians, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
