"""The encryption once more, from PROTOCOL.md 6 to 9 alone: no import of secure_chat.

It is short rather than safe: it keeps no limits, checks no signature and knows one session at a
time. It shows that the document is enough, and that both readings of it agree on every byte.
"""

import hashlib
import hmac
import struct
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

unhex = bytes.fromhex
SUITE = b"PQXDH X25519 ML-KEM-1024 HKDF-SHA-256 ChaCha20-Poly1305 ML-KEM-768"
KEM_KINDS = {1: b"one-time ML-KEM-1024", 2: b"last-resort ML-KEM-1024"}
DAY = 86_400_000


def fields(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def hkdf(salt: bytes, ikm: bytes, info: bytes) -> tuple[bytes, bytes, bytes]:
    """RFC 5869, 96 bytes, as three keys."""
    key, out, last = hmac.digest(salt, ikm, "sha256"), b"", b""
    for number in (1, 2, 3):
        last = hmac.digest(key, last + info + bytes([number]), "sha256")
        out += last
    return out[:32], out[32:64], out[64:]


def x25519(private: bytes, public: bytes) -> bytes:
    key = X25519PrivateKey.from_private_bytes(private)
    return key.exchange(X25519PublicKey.from_public_bytes(public))


def public_of(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def pad(text: bytes) -> bytes:
    text += b"\x80"
    steps = [256, 512, 1024, 2048, *range(4096, 40_961, 4096)]
    return text.ljust(next(step for step in steps if step >= len(text)), b"\0")


def party(described: dict[str, Any]) -> bytes:
    names = ("account_key", "device_key", "dh_key")
    return fields(described["address"].encode(), *(unhex(described[name]) for name in names))


def transcript_hash(
    one: dict[str, Any],
    two: dict[str, Any],
    *,
    ephemeral: bytes,
    ciphertext: bytes,
    restart: int,
    one_time: bool,
) -> bytes:
    signed, opk, kem = two["signed_prekey"], two["one_time"], two["kem"]
    transcript = fields(
        b"\1",
        SUITE,
        party(one),
        party(two),
        struct.pack(">Q", restart),
        ephemeral,
        struct.pack(">I", signed["id"]),
        unhex(signed["public"]),
        struct.pack(">I", opk["id"]) if one_time else b"",
        unhex(opk["public"]) if one_time else b"",
        kem["kind"].encode(),
        struct.pack(">I", kem["id"]),
        unhex(kem["public"]),
        ciphertext,
    )
    return hashlib.sha256(b"secure_chat/1 transcript" + transcript).digest()


def session_keys(digest: bytes, shared: list[bytes], secret: bytes) -> tuple[bytes, bytes, bytes]:
    ikm = b"\xff" * 32 + b"".join(shared) + secret
    return hkdf(bytes(32), ikm, b"secure_chat/1 session" + digest)


class Session:
    """One session; ``role`` is O for who began it, R for the other."""

    def __init__(self, role: str, associated: bytes, keys: tuple[bytes, bytes, bytes]) -> None:
        self.role, self.associated = role, associated
        self.root = keys[0]
        mine, theirs = (keys[1], keys[2]) if role == "O" else (keys[2], keys[1])
        self.next_sending, self.next_receiving = mine, theirs
        self.prefix = b"\1\2"
        self.our = self.their = b""
        self.sending: list[Any] = []  # header key, chain key, n, mix
        self.receiving: list[Any] = []  # header key, chain key, n
        self.previous = self.count = self.step = self.mixed_at = 0
        self.skipped: dict[tuple[bytes, int], bytes] = {}
        self.offer = b""  # O: the seed
        self.ready: tuple[bytes, bytes] | None = None  # O: ss, h
        self.answer: tuple[bytes, bytes, bytes] | None = None  # R: ct, ss, h
        self.answered = False

    def _root_step(self, shared: bytes, mix: tuple[bytes, bytes] | None) -> tuple[bytes, bytes]:
        info = b"secure_chat/1 ratchet X25519"
        if mix:
            self.step += 1
            shared += mix[0]
            info = b"secure_chat/1 post-quantum ratchet X25519 ML-KEM-768"
            info += struct.pack(">I", self.step) + mix[1]
        self.root, chain, header = hkdf(self.root, shared, info)
        return chain, header

    def seal(self, content: bytes, now: int, draws: list[bytes]) -> bytes:
        """The frame body."""
        remaining = iter(draws)
        mixing = False
        if not self.sending:
            self.our = next(remaining)
            mix, self.ready = self.ready, None
            mixing = mix is not None
            chain, header_key = self._root_step(x25519(self.our, self.their), mix)
            self.sending = [self.next_sending, chain, 0, int(mixing)]
            self.next_sending = header_key
            if mixing:
                self.count, self.mixed_at = 0, now
        attachment = self._attachment(now, mixing, remaining)
        nonce = next(remaining)
        header_key, chain, number, mixed = self.sending
        keys = hmac.digest(chain, b"secure_chat/1 message key and chain key", "sha512")
        self.sending[1:3] = [keys[32:], number + 1]
        self.count += 1
        header = public_of(self.our) + struct.pack(">IIB", self.previous, number, mixed)
        data = self.associated + self.prefix
        start = nonce + ChaCha20Poly1305(header_key).encrypt(nonce, header, data)
        padded = pad(attachment + content)
        body = ChaCha20Poly1305(keys[:32]).encrypt(nonce, padded, data + start)
        return self.prefix + start + body

    def _attachment(self, now: int, mixing: bool, draws: Any) -> bytes:
        repeat = self.sending[2] % 16 == 0
        head = struct.pack(">I", self.step + 1)
        if self.role == "R":
            if self.answer is None or (self.answered and not repeat):
                return b"\0"
            self.answered = True
            return b"\2" + head + self.answer[0]
        due = self.count >= 50 or now - self.mixed_at >= DAY
        if not self.offer and self.ready is None and due and not mixing:
            self.offer, repeat = next(draws), True
        if not self.offer or not repeat:
            return b"\0"
        key = MLKEM768PrivateKey.from_seed_bytes(self.offer).public_key()
        return b"\1" + head + key.public_bytes_raw()

    def open(self, prefix: bytes, sealed: bytes, encapsulation: dict[str, str] | None) -> bytes:
        """The content of a good message that is not repeated."""
        nonce, header, body = sealed[:12], sealed[12:69], sealed[69:]
        data = self.associated + prefix
        key = self._message_key(nonce, header, data)
        padded = ChaCha20Poly1305(key).decrypt(nonce, body, data + sealed[:69])
        self.count += 1
        self.prefix = b"\1\2"
        plain = padded.rstrip(b"\0")[:-1]
        size = {0: 0, 1: 1184, 2: 1088}[plain[0]]
        if size:
            step, attached = int.from_bytes(plain[1:5], "big"), plain[5 : 5 + size]
            self._take(plain[0], step, attached, encapsulation)
            return plain[5 + size :]
        return plain[1:]

    def _take(
        self, kind: int, step: int, attached: bytes, encapsulation: dict[str, str] | None
    ) -> None:
        if step != self.step + 1:
            return
        if kind == 1 and self.role == "R" and self.answer is None:
            assert encapsulation is not None
            secret, ciphertext = (unhex(encapsulation[n]) for n in ("secret", "ciphertext"))
            self.answer = ciphertext, secret, hashlib.sha256(attached + ciphertext).digest()
            self.answered = False
        if kind == 2 and self.offer:
            private = MLKEM768PrivateKey.from_seed_bytes(self.offer)
            binding = hashlib.sha256(private.public_key().public_bytes_raw() + attached).digest()
            self.ready, self.offer = (private.decapsulate(attached), binding), b""

    def _message_key(self, nonce: bytes, header: bytes, data: bytes) -> bytes:
        keys = [self.receiving[0]] if self.receiving else []
        for header_key in (*keys, self.next_receiving, *{name for name, _ in self.skipped}):
            try:
                plain = ChaCha20Poly1305(header_key).decrypt(nonce, header, data)
            except InvalidTag:
                continue
            key, previous, number, mix = struct.unpack(">32sIIB", plain)
            if header_key == self.next_receiving:
                self._turn(key, previous, mix)
            if self.receiving[0] == header_key and number >= self.receiving[2]:
                self._skip(number + 1)
            return self.skipped.pop((header_key, number))
        raise LookupError("no header key fits")

    def _turn(self, key: bytes, previous: int, mix: int) -> None:
        if self.receiving:
            self._skip(previous)
        secret = None
        if mix:
            assert self.answer is not None
            secret, self.answer = self.answer[1:], None
        chain, header_key = self._root_step(x25519(self.our, key), secret)
        self.receiving = [self.next_receiving, chain, 0]
        self.next_receiving, self.their = header_key, key
        if self.sending:
            self.previous, self.sending = self.sending[2], []

    def _skip(self, until: int) -> None:
        while self.receiving[2] < until:
            header_key, chain, number = self.receiving
            keys = hmac.digest(chain, b"secure_chat/1 message key and chain key", "sha512")
            self.skipped[header_key, number] = keys[:32]
            self.receiving[1:] = [keys[32:], number + 1]


def begin(us: dict[str, Any], them: dict[str, Any], step: dict[str, Any]) -> Session:
    """The initiator's session, from a ``start`` step of a vector."""
    (ephemeral,) = (unhex(each) for each in step["random"])
    signed, opk = them["signed_prekey"], them["one_time"]
    shared = [
        x25519(unhex(us["dh_private"]), unhex(signed["public"])),
        x25519(ephemeral, unhex(them["dh_key"])),
        x25519(ephemeral, unhex(signed["public"])),
    ]
    if opk:
        shared.append(x25519(ephemeral, unhex(opk["public"])))
    ciphertext = unhex(step["encapsulation"]["ciphertext"])
    restart = step["gives"]["restart"]
    digest = transcript_hash(
        us,
        them,
        ephemeral=public_of(ephemeral),
        ciphertext=ciphertext,
        restart=restart,
        one_time=bool(opk),
    )
    keys = session_keys(digest, shared, unhex(step["encapsulation"]["secret"]))
    session = Session("O", digest, keys)
    session.their, session.mixed_at = unhex(signed["public"]), step["now_ms"]
    kind = {name: number for number, name in KEM_KINDS.items()}[them["kem"]["kind"].encode()]
    part = b"".join(
        (
            digest[:16],
            struct.pack(">Q", restart),
            unhex(us["account_key"]),
            unhex(us["manifest_signature"]),
            public_of(ephemeral),
            struct.pack(">IBI", signed["id"], bool(opk), opk["id"] if opk else 0),
            struct.pack(">BI", kind, them["kem"]["id"]),
            ciphertext,
            fields(us["address"].split("/")[1].encode(), unhex(us["manifest"])),
        )
    )
    session.prefix = b"\1\1" + fields(part)
    return session


def accept(us: dict[str, Any], them: dict[str, Any], part: bytes) -> Session:
    """The responder's session, from the initial part of a body."""
    restart = int.from_bytes(part[16:24], "big")
    ephemeral, one_time, ciphertext = part[120:152], part[156] == 1, part[166 : 166 + 1568]
    signed, opk = us["signed_prekey"], us["one_time"]
    shared = [
        x25519(unhex(signed["private"]), unhex(them["dh_key"])),
        x25519(unhex(us["dh_private"]), ephemeral),
        x25519(unhex(signed["private"]), ephemeral),
    ]
    if one_time:
        shared.append(x25519(unhex(opk["private"]), ephemeral))
    secret = MLKEM1024PrivateKey.from_seed_bytes(unhex(us["kem"]["seed"])).decapsulate(ciphertext)
    digest = transcript_hash(
        them,
        us,
        ephemeral=ephemeral,
        ciphertext=ciphertext,
        restart=restart,
        one_time=one_time,
    )
    session = Session("R", digest, session_keys(digest, shared, secret))
    session.our = unhex(signed["private"])
    return session


class Device:
    """A party of a vector with its sessions by id; sends on the one of highest rank."""

    def __init__(self, us: dict[str, Any], them: dict[str, Any]) -> None:
        self.us, self.them = us, them
        self.sessions: dict[bytes, tuple[int, Session]] = {}

    def run(self, step: dict[str, Any]) -> dict[str, Any]:
        """What a step gives."""
        if step["do"] == "start":
            session = begin(self.us, self.them, step)
            self.sessions[session.associated[:16]] = step["gives"]["restart"], session
            return {"prefix": session.prefix.hex(), "root_key": session.root.hex()}
        if step["do"].startswith("seal"):
            _, _, session = max(
                (restart, -int.from_bytes(name, "big"), session)
                for name, (restart, session) in self.sessions.items()
            )
            draws = [unhex(each) for each in step["random"]]
            if step["do"] == "seal and lose":
                for _ in range(step["times"]):
                    session.seal(b"", step["now_ms"], [*draws, bytes(12)])
                    draws = []
                return {}
            body = session.seal(step["content"].encode(), step["now_ms"], draws)
            return {"body": body.hex(), "root_key": session.root.hex()}
        if step["do"] == "lose all sessions":
            self.sessions = {}
            return {}
        return self._open(unhex(step["body"]), step.get("encapsulation"))

    def _open(self, body: bytes, encapsulation: dict[str, str] | None) -> dict[str, Any]:
        if body[1] == 2:
            for _, session in self.sessions.values():
                try:
                    content = session.open(body[:2], body[2:], encapsulation)
                except LookupError:
                    continue
                return {"content": content.decode(), "root_key": session.root.hex()}
            raise LookupError("no session fits")
        length = int.from_bytes(body[2:6], "big")
        part = body[6 : 6 + length]
        known = self.sessions.get(part[:16])
        session = known[1] if known else accept(self.us, self.them, part)
        content = session.open(body[: 6 + length], body[6 + length :], encapsulation)
        self.sessions[part[:16]] = int.from_bytes(part[16:24], "big"), session
        return {"content": content.decode(), "root_key": session.root.hex()}
