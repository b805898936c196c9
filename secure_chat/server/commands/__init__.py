"""The operator's commands, a module each; see `registry` for the table."""
