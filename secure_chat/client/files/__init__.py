"""Files on this machine's disk: what is sent is sealed here, what came is opened and put down.

`sealing` reads a person's file and writes sealed bytes into the profile; `saving` goes the other
way, and never shows a byte that is not authenticated. Both run on the engine's workshop thread.
"""
