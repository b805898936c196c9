"""The server's edge: sockets, TLS and threads. It carries frames and never reads a header."""
