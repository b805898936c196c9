"""secure_chat: end-to-end encrypted chat over a server that cannot read it.

Imports run one way: ``errors <- protocol, crypto <- server | client engine <- interfaces``
(tests/test_architecture.py holds this).
"""

__version__ = "0.1.0"
