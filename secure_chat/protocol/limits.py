"""Every number that bounds something on the wire (PROTOCOL.md 2). Sizes are bytes, times seconds.

The one table of limits: both ends import it, so no bound stands in two places.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = KIB * KIB
MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

# Frames: u32 length ‖ u16 header length ‖ header ‖ body; the length counts what follows it.
LENGTH_FIELD: Final = 4
HEADER_LENGTH_FIELD: Final = 2
FRAME_BEFORE_LOGIN: Final = 8 * KIB
FRAME_AFTER_LOGIN: Final = 64 * KIB
HEADER: Final = 4 * KIB
KEY_HEADER: Final = 16 * KIB  # frames that carry keys, after login
BODY: Final = FRAME_AFTER_LOGIN - HEADER - HEADER_LENGTH_FIELD

# Names
USER_ID_MIN: Final = 3
USER_ID_MAX: Final = 32
DEVICE_MAX: Final = 32
ROOM: Final = 64  # characters of its name

# Login
HANDSHAKE_SECONDS: Final = 10
LOGIN_SECONDS: Final = 20  # from the greeting to a login or a registration
CHALLENGE: Final = 32
VERSION_MAX: Final = 255  # of the protocol: one byte of what is signed
VERSIONS: Final = 16  # that a greeting may list
FEATURES: Final = 32  # that a greeting may list, and a login name
FEATURE_NAME: Final = 32  # characters
IDLE_SECONDS: Final = 120  # a connection that says nothing for so long is closed
PINS: Final = 4  # of one server: the key in use, and spare ones
PING_SECONDS: Final = 45  # how often a client that has nothing else to say pings

# Content
TEXT: Final = 16 * KIB  # UTF-8; longer text is offered as a file
PADDING_STEPS: Final = (256, 512, 1024, 2048, 4096)
PADDING_MULTIPLE: Final = 4096
PADDED_MAX: Final = 40_960

# Files and other large bodies
FILE: Final = 4 * KIB * MIB  # of one file; what a server takes is its own setting
FILE_PADDED_MIN: Final = 4 * KIB
FILE_NAME: Final = 255  # UTF-8
MEDIA_TYPE: Final = 127  # ASCII
BLOB_CHUNK: Final = 48 * KIB  # in one frame
BLOB_CHUNKS: Final = 16  # requests of one connection that may wait for their answer
BLOB_UPLOADS: Final = 16  # that one account may have begun
BLOB_UPLOAD_SECONDS: Final = 2 * DAY  # an upload that nobody takes up for so long is forgotten

# Keys
RETENTION_SECONDS: Final = 30 * DAY  # how long the server keeps a message
DEVICES: Final = 16  # in a manifest
MANIFEST: Final = 3 * KIB
KEYS_PER_FRAME: Final = 20
ONE_TIME_KEYS: Final = 100
ONE_TIME_REFILL_BELOW: Final = 25
SIGNED_PREKEY_SECONDS: Final = 7 * DAY  # rotated so often
SIGNED_PREKEY_VALID: Final = 28 * DAY  # a bundle older than its signed expiry is refused
ONE_TIME_KEM_VALID: Final = 365 * DAY  # one-time KEM keys wait long for their use
PREKEY_KEPT: Final = RETENTION_SECONDS + 7 * DAY  # private parts, after they were replaced
CLOCK_SKEW: Final = DAY

# Delivery
UNACKNOWLEDGED: Final = 256  # deliveries in flight on a connection
MAILBOX_MESSAGES: Final = 20_000
MAILBOX_BYTES: Final = 64 * KIB * KIB
MAILBOX_MESSAGES_PER_SENDER: Final = 4_000  # an account, and never more than what is still free
MAILBOX_BYTES_PER_SENDER: Final = 24 * KIB * KIB  # likewise
MESSAGE_TOKEN: Final = 4 * KIB  # a message counts once in its sender's rate for each of these begun
SEEN_IDS_SECONDS: Final = 40 * DAY

# Requests: what a client keeps of people who were not accepted
REQUESTS: Final = 100  # strangers who wait; others are heard once some are decided
REQUEST_LINES: Final = 200  # messages and versions of one of them
REQUEST_BYTES: Final = 256 * KIB  # of their text

# Ratchet
SKIP_PER_CHAIN: Final = 1_000
SKIP_STORED: Final = 2_000
SKIP_CHAINS: Final = 200  # chains with stored keys: bounds the headers tried for one message
SKIP_SECONDS: Final = PREKEY_KEPT  # stored keys older than this are deleted
SESSIONS_PER_PEER: Final = 8
SESSION_IDS_KEPT: Final = 64  # ids of sessions that were given up, against replays
PQ_MESSAGES: Final = 50  # a post-quantum step begins after so many messages,
PQ_SECONDS: Final = DAY  # or so long after the last one
PQ_REPEAT: Final = 16  # offers and answers repeat in every 16th message of a chain

# Answers
SENTENCE: Final = 512  # characters that an error or a farewell may say
PLACE: Final = 64  # characters that say where a page of `my_data` ended
USERS_PER_PAGE: Final = 100
PRESENCE_PER_FRAME: Final = 200
WATCHED_NAMES: Final = 256  # people whose presence a connection follows by name
PRESENCE_SECONDS: Final = 1  # changes are gathered for so long
