"""The language of the command line: the system's, chosen once."""

from typing import Final

from secure_chat.client.i18n import Words, system_language

words: Final = Words(system_language())
