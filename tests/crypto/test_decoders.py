"""Every decoder, fed with anything: only named errors come out, quickly, and nothing changes.

A short run belongs to the suite. The long one takes ten minutes, prints what it reached, and begins
somewhere else each time::

    python3 scripts/test.py tests/crypto/test_decoders.py --soak -s

Other lengths: ``SECURE_CHAT_FUZZ_SECONDS=60``. A finding names its bytes.
"""

import importlib
import inspect
import os
import pkgutil
import re
import secrets
import time
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

import secure_chat.client.content
import secure_chat.crypto
import secure_chat.protocol
from tests.crypto.decoders import TARGETS
from tests.crypto.fuzz import Fuzzer

CALLS = 800
SECONDS = float(os.environ.get("SECURE_CHAT_FUZZ_SECONDS", "600"))
SLOWEST = 0.25  # seconds for one input of at most 70 KB; the budget is for a busy machine
GROWTH = 256  # MiB

_DECODES = re.compile(r"(decode|parse|from_b64url|read_initial|feed|check_bundle|check_qr)\w*|load")
_INSIDE = {
    # reached through `PeerSessions.load`
    "secure_chat.crypto.state.decode_ratchet",
    "secure_chat.crypto.session.Session.decode",
    "secure_chat.crypto.skipped.SkippedKeys.decode",
    "secure_chat.crypto.skipped.SkippedKeys.decode_version_1",
    "secure_chat.crypto.pq_step.Offering.decode",
    "secure_chat.crypto.pq_step.Answering.decode",
}


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_end_in_a_value_or_a_named_error(name: str) -> None:
    """Bytes of a peer, a server or a disk raise only named errors, in bounded time."""
    fuzzer = Fuzzer(TARGETS[name], secrets.randbits(32))
    fuzzer.run(lambda calls: calls < CALLS)
    assert fuzzer.slowest < SLOWEST


def test_every_decoder_has_a_target() -> None:
    """What reads bytes or text from outside, in protocol, encryption and content, is fed here."""
    covered = {_name(each) for target in TARGETS.values() for each in target.covers} | _INSIDE
    packages = (secure_chat.protocol, secure_chat.crypto, secure_chat.client.content)
    found = {_name(each) for package in packages for each in _decoders(package)}
    assert found - covered == set(), "give each of them a target in tests/crypto/decoders.py"
    assert len(found) > 20


def _name(function: Callable[..., object]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _decoders(package: ModuleType) -> Iterator[Callable[..., object]]:
    """Public functions and methods whose names say that they read something."""
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        loaded = importlib.import_module(module.name)
        owners = [loaded, *(each for _, each in inspect.getmembers(loaded, inspect.isclass))]
        for owner in owners:
            for name, function in vars(owner).items():
                plain = getattr(function, "__func__", function)
                ours = inspect.isfunction(plain) and plain.__module__ == module.name
                if ours and _DECODES.fullmatch(name):
                    yield plain


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 300)
def test_ten_minutes_of_anything() -> None:
    """The same for ten minutes, guided by the lines that inputs reach; memory stays bounded."""
    seed = secrets.randbits(32)
    fuzzers = [Fuzzer(target, seed) for target in TARGETS.values()]
    reached = {fuzzer.target.name: len(fuzzer.lines) for fuzzer in fuzzers}
    memory, end = _peak_memory(), time.monotonic() + SECONDS
    while time.monotonic() < end:
        for fuzzer in fuzzers:
            until = time.monotonic() + 0.5
            fuzzer.run(lambda _, until=until: time.monotonic() < until)  # type: ignore[misc]
    print(f"\nseed {seed}, {SECONDS:.0f} s, {sum(each.calls for each in fuzzers):,} inputs")
    for fuzzer in fuzzers:
        name = fuzzer.target.name
        print(
            f"{name:26}{fuzzer.calls:>10,} inputs, {fuzzer.corpus:>4} kept, lines reached "
            f"{reached[name]:>4} -> {len(fuzzer.lines):>4}, slowest {fuzzer.slowest * 1000:5.1f} ms"
        )
        assert fuzzer.slowest < SLOWEST, name
    assert _peak_memory() - memory < GROWTH


def _peak_memory() -> float:
    """MiB; 0 where the platform does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
