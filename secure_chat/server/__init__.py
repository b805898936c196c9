"""The server: routes opaque payloads, stores them for absent devices, cannot decrypt."""
