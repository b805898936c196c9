"""Alembic's environment: how an older data folder becomes one of this version."""
