"""The demonstration: two people talk through a real server, and the server's side is searched.

::

    client.py (Alice) ── TLS ──▶ recorder.py: the real server, ◀── TLS ── client.py (Bob)
         ▲                       with a tap on what it receives                ▲
         └──────────────── headless.py: says what to write, ───────────────────┘
                           compares, searches the tap and the server's folder
"""
