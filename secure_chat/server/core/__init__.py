"""The server's logic: sessions, mailboxes, presence and routing. No socket, no clock of its own."""
