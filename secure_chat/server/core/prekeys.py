"""The server's look at a published prekey, which must not hang on the machine's clock alone."""

from secure_chat.crypto import verify
from secure_chat.errors import BadPrekey
from secure_chat.protocol.addresses import DeviceAddress
from secure_chat.protocol.messages import KemPrekey, SignedPrekey
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import DeviceKey, ServerId
from secure_chat.server.steady import SteadyClock


def check_prekey(
    kind: PrekeyKind,
    key: SignedPrekey | KemPrekey,
    device: DeviceAddress,
    device_key: DeviceKey,
    server_id: ServerId,
    clock: SteadyClock,
) -> None:
    """As `verify.check_prekey`; dates that are right by the machine's clock or the count will do.

    The dates are judged by whoever begins a session with the key, on a clock of their own. The
    server only spares people keys that nobody would take, and when its clock jumps it must not
    refuse everybody's.
    """
    try:
        verify.check_prekey(kind, key, device, device_key, server_id, now_ms=clock.wall())
    except BadPrekey:
        verify.check_prekey(kind, key, device, device_key, server_id, now_ms=clock.now_ms())
