"""The command line face of the client: scripts, and machines without a screen.

::

    arguments ─▶ program ─▶ commands ─▶ session ─▶ client/api.py (the engine)
                    └─ exit codes, signals      └─ output (nothing of a peer reaches a terminal raw)
"""
