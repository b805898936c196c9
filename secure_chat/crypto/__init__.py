"""The end-to-end encryption, sans-IO (PROTOCOL.md 6 to 11).

Bytes, times and randomness go in, bytes come out. To read it in order::

    rng          randomness is passed in, and looked at
    keys         private keys, each a type that does not print
    verify       signatures, manifests, prekeys: the only part that the server imports
    identity     our device, a peer's device
    prekeys      what a session is started with
    labels, kdf  what keys are derived for, and how
    aead         the cipher
    padding      what a ciphertext's length tells
    body         the layout of frame bodies
    pqxdh        the handshake
    pq_step      the sparse post-quantum step
    skipped      keys of messages that are still on their way
    ratchet      the Double Ratchet with header encryption
    state        its stored form
    session      a ratchet with its beginning
    peer         all sessions with one device: what the engine uses
    fingerprint  what people compare
"""
