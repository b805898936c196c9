"""The client: engine, vault and its two faces, the window and the command line."""
