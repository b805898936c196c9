"""The chat engine: a sans-IO core, and the one thread that runs it over a connection."""

from secure_chat.client.engine.chat import ChatEngine

__all__ = ["ChatEngine"]
