"""What all tests share."""

from hypothesis import settings

# A busy machine must not fail a property: time is tested where it is promised, and nowhere else.
settings.register_profile("secure_chat", deadline=None)
settings.load_profile("secure_chat")
