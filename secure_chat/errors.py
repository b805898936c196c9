"""Every error of secure_chat: the codes on the wire and the exceptions, each in one table.

An error is a noun with facts. Its ``template`` is the sentence that a person reads (and the
message id for translation); its keyword arguments fill the template and stay readable as
``error.facts``. Who caused it decides the root:

* `LocalError`: this person, this program or this machine; the sentence says what to do.
* `PeerError`: bytes from the other side break a rule. The bytes are refused, nothing changes.
* `Refused`: the server answered with one of the codes below.
"""

from enum import StrEnum
from typing import ClassVar, NamedTuple, Self


class Code(StrEnum):
    """What an ``error`` or ``bye`` message says happened. `CODES` explains each."""

    # what was sent
    BAD_FRAME = "bad_frame"
    TOO_LARGE = "too_large"
    BAD_HEADER = "bad_header"
    UNKNOWN_TYPE = "unknown_type"
    BAD_FIELD = "bad_field"
    NOT_SUPPORTED = "not_supported"
    # getting in
    UNSUPPORTED_VERSION = "unsupported_version"
    UNSUPPORTED_FEATURE = "unsupported_feature"
    NOT_LOGGED_IN = "not_logged_in"
    ALREADY_LOGGED_IN = "already_logged_in"
    BAD_USER_ID = "bad_user_id"
    NAME_TAKEN = "name_taken"
    BAD_INVITE = "bad_invite"
    REGISTRATION_CLOSED = "registration_closed"
    BAD_SIGNATURE = "bad_signature"
    LOGIN_REFUSED = "login_refused"
    CHALLENGE_USED = "challenge_used"
    CHALLENGE_EXPIRED = "challenge_expired"
    # keys
    BAD_KEYS = "bad_keys"
    MANIFEST_CONFLICT = "manifest_conflict"
    NO_KEYS = "no_keys"
    # delivery
    UNKNOWN_USER = "unknown_user"
    NOT_LISTED = "not_listed"
    DEVICES_CHANGED = "devices_changed"
    DUPLICATE_ID = "duplicate_id"
    BAD_SEQUENCE = "bad_sequence"
    MAILBOX_FULL = "mailbox_full"
    QUOTA_EXCEEDED = "quota_exceeded"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL_ERROR = "internal_error"
    # blobs
    UNKNOWN_BLOB = "unknown_blob"
    BLOB_TOO_LARGE = "blob_too_large"
    BLOB_QUOTA = "blob_quota"
    BLOB_MISMATCH = "blob_mismatch"
    # why a connection ends
    LOGIN_TIMEOUT = "login_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    SLOW_READER = "slow_reader"
    REPLACED = "replaced"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_DELETED = "account_deleted"
    SHUTTING_DOWN = "shutting_down"


class CodeInfo(NamedTuple):
    """A code's sentence and what follows from it."""

    message: str
    closes: bool = False  # the server closes the connection after saying it
    retry: bool = False  # the same request may succeed later; see retry_after


CODES: dict[Code, CodeInfo] = {
    Code.BAD_FRAME: CodeInfo("The frame is malformed.", closes=True),
    Code.TOO_LARGE: CodeInfo("The frame or one of its parts is larger than allowed.", closes=True),
    Code.BAD_HEADER: CodeInfo(
        "The header is not the canonical JSON of a known message.", closes=True
    ),
    Code.UNKNOWN_TYPE: CodeInfo("The server does not know this type of message."),
    Code.BAD_FIELD: CodeInfo("A field is unknown, missing or out of its range."),
    Code.NOT_SUPPORTED: CodeInfo("This server does not offer that yet."),
    Code.UNSUPPORTED_VERSION: CodeInfo("No protocol version in common.", closes=True),
    Code.UNSUPPORTED_FEATURE: CodeInfo("A requested feature was not offered.", closes=True),
    Code.NOT_LOGGED_IN: CodeInfo("Log in first.", closes=True),
    Code.ALREADY_LOGGED_IN: CodeInfo("This connection is logged in already."),
    Code.BAD_USER_ID: CodeInfo(
        "A name has 3 to 32 of the letters a-z, digits, '_', '.' and '-', first a letter."
    ),
    Code.NAME_TAKEN: CodeInfo("This name is taken; choose another."),
    Code.BAD_INVITE: CodeInfo("The invite is missing, wrong, used up or expired; ask for another."),
    Code.REGISTRATION_CLOSED: CodeInfo("This server takes no new accounts."),
    Code.BAD_SIGNATURE: CodeInfo("A signature does not verify.", closes=True),
    Code.LOGIN_REFUSED: CodeInfo("The server does not accept this login.", closes=True),
    Code.CHALLENGE_USED: CodeInfo("The challenge was used already; connect again.", closes=True),
    Code.CHALLENGE_EXPIRED: CodeInfo("The challenge has expired; connect again.", closes=True),
    Code.BAD_KEYS: CodeInfo("The published keys are malformed, expired or too many."),
    Code.MANIFEST_CONFLICT: CodeInfo("The manifest does not follow the one the server has."),
    Code.NO_KEYS: CodeInfo("That device has published no keys yet.", retry=True),
    Code.UNKNOWN_USER: CodeInfo("There is no such account or device here."),
    Code.NOT_LISTED: CodeInfo("This server lists nobody; ask for people by their exact names."),
    Code.DEVICES_CHANGED: CodeInfo("The recipient's devices have changed; fetch the manifest."),
    Code.DUPLICATE_ID: CodeInfo("This delivery id was used for another message."),
    Code.BAD_SEQUENCE: CodeInfo("No delivery with this sequence was sent."),
    Code.MAILBOX_FULL: CodeInfo("The recipient's mailbox is full.", retry=True),
    Code.QUOTA_EXCEEDED: CodeInfo("Too many of your messages wait for this recipient.", retry=True),
    Code.RATE_LIMITED: CodeInfo("Too many requests; wait.", retry=True),
    Code.OVERLOADED: CodeInfo("The server is busy; wait.", retry=True),
    Code.STORAGE_UNAVAILABLE: CodeInfo("The server cannot write to its disk.", retry=True),
    Code.INTERNAL_ERROR: CodeInfo("The server failed; its log says more.", closes=True, retry=True),
    Code.UNKNOWN_BLOB: CodeInfo("There is no such file here, or no longer."),
    Code.BLOB_TOO_LARGE: CodeInfo("The file is larger than this server takes."),
    Code.BLOB_QUOTA: CodeInfo(
        "Your files take all the room that you may use here; older ones go in time.", retry=True
    ),
    Code.BLOB_MISMATCH: CodeInfo(
        "The bytes that arrived are not those of the file; it is sent anew.", retry=True
    ),
    Code.LOGIN_TIMEOUT: CodeInfo("No login came in time.", closes=True, retry=True),
    Code.IDLE_TIMEOUT: CodeInfo("Nothing was heard for too long.", closes=True, retry=True),
    Code.SLOW_READER: CodeInfo(
        "The connection does not read fast enough.", closes=True, retry=True
    ),
    Code.REPLACED: CodeInfo("This device logged in from elsewhere.", closes=True),
    Code.ACCOUNT_DISABLED: CodeInfo("The operator has disabled this account.", closes=True),
    Code.ACCOUNT_DELETED: CodeInfo("This account was deleted.", closes=True),
    Code.SHUTTING_DOWN: CodeInfo("The server is stopping.", closes=True, retry=True),
}


class Reason(str):
    """Why something failed, as an English text that knows its template and its facts.

    A reason with nothing to fill in is a plain string. Both are translated where they are shown.
    """

    __slots__ = ("facts", "template")

    def __new__(cls, template: str, /, **facts: object) -> Self:
        """``template`` with ``{name}`` filled from ``facts``."""
        made = super().__new__(cls, template.format(**facts))
        made.template, made.facts = template, facts
        return made

    template: str
    facts: dict[str, object]


class SecureChatError(Exception):
    """Root of all. Subclasses give ``template``; facts fill it and stay in ``facts``."""

    template: ClassVar[str] = "Something went wrong."

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.template.format(**facts))


class LocalError(SecureChatError):
    """A mistake or a failure on this side."""


class PeerError(SecureChatError):
    """Bytes from the other side break a rule; they are refused and nothing changes."""


# ---------------------------------------------------------------- names and encodings


class BadAddress(PeerError):
    """A name of an account or device outside the rule (PROTOCOL.md 1)."""

    template = (
        "{text!r} is no valid name: 3 to 32 of the letters a-z, digits, '_', '.' and '-', "
        "first a letter."
    )


class BadEncoding(PeerError):
    """A structure that does not decode, or is not in its only form."""

    template = "Malformed {what}."


class BadInviteLink(LocalError):
    """An invite link that cannot be used; ``reason`` says why."""

    template = "This invite link cannot be used: {reason}."


class BadContactLink(LocalError):
    """A contact link that cannot be used; ``reason`` says why."""

    template = "This contact link cannot be used: {reason}."


# ---------------------------------------------------------------- the wire


class ProtocolError(PeerError):
    """A frame or header that breaks the wire protocol; ``code`` is what the server answers."""

    template = "{detail}"

    def __init__(self, code: Code, detail: str = "") -> None:
        self.code = code
        super().__init__(detail=detail or CODES[code].message)


class Refused(SecureChatError):
    """The server's answer to a request, with its code and perhaps ``retry_after`` seconds."""

    template = "{message}"

    def __init__(self, code: Code, message: str = "", retry_after: float | None = None) -> None:
        self.code = code
        self.retry_after = retry_after
        super().__init__(message=message or CODES[code].message)


# ---------------------------------------------------------------- transport


class ConnectFailed(LocalError):
    """No connection came about; ``reason`` says why. Trying again later may help."""

    template = "Cannot connect to {server}: {reason}."


class ConnectCancelled(LocalError):
    """The wait for a connection was given up on this side."""

    template = "Connecting to {server} was cancelled."


class CertificateRefused(PeerError):
    """The server did not prove to be the one that was asked for; nothing was sent to it."""

    template = "{server} is not trusted: {reason}."


class WrongServer(PeerError):
    """The key is right and the server id is not: another server, or one set up anew."""

    template = (
        "{server} says it is server {found}, but {expected} was expected. Ask the operator; if "
        "the server was set up anew, a new invite link is needed."
    )


class ConnectionLost(SecureChatError):
    """A connection that stood has ended; ``reason`` says how."""

    template = "The connection was lost: {reason}."


class BadCertificateFile(LocalError):
    """A certificate or key file that cannot be used."""

    template = "{path} cannot be used: {reason}."


class ListenFailed(LocalError):
    """The server cannot listen on its address."""

    template = "Cannot listen on {address}: {reason}."


# ---------------------------------------------------------------- encryption


class DeadRandomness(LocalError):
    """The source of randomness repeats itself; nothing may be encrypted or generated with it."""

    template = "The source of random numbers is broken: it gave {size} bytes that {symptom}."


class NoSession(LocalError):
    """Nothing can be sealed before `start`, or before the other side has started."""

    template = "There is no encrypted session with {address} yet."


class ContentTooLong(LocalError):
    """Content that does not fit into the largest padded message."""

    template = "The content has {size} bytes; an encrypted message takes at most {limit}."


class BadSessionState(LocalError):
    """A stored session that cannot be read; it was not written by this program, or is damaged."""

    template = "The stored session cannot be read: {reason}."


class NewerSessionState(BadSessionState):
    """A stored session of a version that this program does not know; it is not damaged."""

    template = "A newer program stored this session, as version {version}; {known} is known here."


class BadQrCode(LocalError):
    """A scanned code that is no safety number of a version known here."""

    template = "This is no QR code of a safety number, or of a newer version."


class BadSignature(PeerError):
    """A signature that does not verify, or whose key or form is not acceptable."""

    template = "The signature of the {what} does not verify."


class BadManifest(PeerError):
    """A manifest with a good signature that says something it must not."""

    template = "The manifest of {user_id} is not acceptable: {reason}."


class ManifestConflict(PeerError):
    """A manifest that does not follow the one that is known; see the subclasses."""

    template = "Manifest {counter} does not follow manifest {known}."


class ManifestRollback(ManifestConflict):
    """An older manifest than the known one, or another one with the same counter."""

    template = "Manifest {counter} was offered although manifest {known} is known."


class ManifestFork(ManifestConflict):
    """A manifest whose predecessor is not the known one."""

    template = "Manifest {counter} does not name the known manifest {known} as its predecessor."


class ManifestGap(ManifestConflict):
    """A manifest that skips some: whether it descends from the known one cannot be seen."""

    template = "Manifest {counter} came although {known} is the last one known."


class BadPrekey(PeerError):
    """A published prekey that is expired, too long valid or no acceptable key."""

    template = "The {what} number {key_id} is not acceptable: {reason}."


class BadBundle(PeerError):
    """A claimed key bundle that no session may be started with."""

    template = "The keys of {address} are not acceptable: {reason}"


class BadCurveKey(PeerError):
    """An X25519 public key of low order, or not in its only form."""

    template = "The {what} is no acceptable X25519 key: {reason}."


class BadKemKey(PeerError):
    """An ML-KEM key or ciphertext that fails the checks of FIPS 203."""

    template = "The {what} is malformed."


class UnsupportedBody(PeerError):
    """An encrypted body of a version or kind that this program does not know."""

    template = "An encrypted message of version {version}, kind {kind} is not known here."


class SessionLost(PeerError):
    """Root of the refusals that a new session heals; see the subclasses."""

    template = "The encrypted session with the sender is lost."


class UnknownPrekey(SessionLost):
    """An initial message for a prekey whose private part is gone or never was here."""

    template = (
        "An initial message uses the {what} number {key_id}, which is not (or no longer) here."
    )


class TranscriptMismatch(PeerError):
    """An initial message that was made for other keys than ours, or altered on its way."""

    template = "An initial message from {address} does not agree with this device's keys."


class PeerMismatch(PeerError):
    """An initial message from other keys than those these sessions belong to."""

    template = "An initial message names other keys than those known of {address}."


class UndecryptableMessage(SessionLost):
    """A message that no session here can decrypt: forged, damaged, or for a lost session."""

    template = "A message from {address} cannot be decrypted (sessions tried: {sessions})."


class RepeatedMessage(PeerError):
    """A message that was decrypted before, or whose key was given up; ``number`` in its chain."""

    template = "Message {number} of its chain was decrypted before, or its key was given up."


class RepeatedInitialMessage(PeerError):
    """An initial message of a session that was given up: it is never derived again."""

    template = "An initial message of a session that was given up came again."


class TooManySkippedMessages(SessionLost):
    """A message so far ahead that the keys in between would exceed the limit."""

    template = "{skipped} messages are missing before this one; at most {limit} may be."


class PqStepConflict(SessionLost):
    """A post-quantum offer that contradicts the one being answered, or skips a step."""

    template = "A post-quantum offer for step {step} contradicts step {known}."


class UnexpectedPqMix(SessionLost):
    """A chain that claims a post-quantum secret which was never answered."""

    template = "A message claims post-quantum step {step}, for which no secret is here."


# ---------------------------------------------------------------- the server's own


class BadSetting(LocalError):
    """A setting of the server that is unknown, malformed or out of its range."""

    template = "{name}: {problem}."


class ConfigFileUnreadable(LocalError):
    """The server's configuration file cannot be read or is no TOML."""

    template = "The configuration {path} cannot be read: {reason}."


class BadHostName(LocalError):
    """A name for a certificate or an invite link that is neither a host name nor an address."""

    template = "{host!r} is neither a host name nor an IP address."


class RotationRefused(LocalError):
    """The server's certificate was not replaced; nothing was changed."""

    template = "The certificate was not replaced: {reason}."


class CertificatesExist(LocalError):
    """Files that would be overwritten by new certificates."""

    template = (
        "{path} exists already and is kept. Use --force to replace it: "
        "the pin changes, and invite links made before stop working."
    )


class NoSuchInvite(LocalError):
    """An operator named an invite that is not there, or that is revoked already."""

    template = "There is no invite {which} that could be revoked; see: invite list --all."


class AdminRefused(LocalError):
    """The running server did not do what its operator asked."""

    template = "The running server answered: {reason}."


class NoSuchUser(LocalError):
    """An operator named an account that is not there."""

    template = "There is no account {user_id}; see: users list."


class NameNotReserved(LocalError):
    """An operator wants to free a name that is not reserved for a deleted account."""

    template = "{user_id} is no reserved name of a deleted account; see: users list."


class NotConfirmed(LocalError):
    """What cannot be undone was not confirmed."""

    template = "Nothing was done: {how}."


class DataFolderInUse(LocalError):
    """Another process holds the server's data folder; ``holder`` says who, and what to do."""

    template = "The data folder {folder} is in use by {holder}."


class ServerNotRunning(LocalError):
    """A command for a running server, and none answers on its data folder."""

    template = "No server runs on {folder}."


class DataFolderMissing(LocalError):
    """A command about a server's data, and no server has ever run there."""

    template = "There is no server's data in {folder}; name the folder with --data-dir or --config."


class DataFolderTooNew(LocalError):
    """The data folder has a schema that this version does not know."""

    template = "The data folder {folder} was written by a newer version; upgrade this program."


class DataFolderUnusable(LocalError):
    """The data folder cannot be made, read or written."""

    template = "The data folder {folder} cannot be used: {reason}."


class BackupFailed(LocalError):
    """A backup was not made; nothing is left of the attempt."""

    template = "The backup was not made: {reason}."


class BackupUnusable(LocalError):
    """A file that is no backup, or a damaged one; nothing was changed."""

    template = "This backup cannot be used: {reason}."


class RestoreRefused(LocalError):
    """Something is in the way of a restore; nothing was changed."""

    template = "Nothing was restored: {reason}."


class StorageUnavailable(LocalError):
    """A write did not reach the disk; nothing of it was kept."""

    template = "The server cannot write to its disk."


class StorageUnreadable(StorageUnavailable):
    """A question to the store was not answered, because the disk failed."""

    template = "The server cannot read from its disk."


class StorageDamaged(StorageUnavailable):
    """The database is no longer whole; waiting mends nothing."""

    template = (
        "The server's database is damaged: {reason}. Stop the server, keep a copy of its data "
        "folder, and put a backup in place (secure-chat-server restore FILE --force)."
    )


class StorageBusy(LocalError):
    """A bounded queue of the store is full."""

    template = "The server's disk does not keep up."


# ---------------------------------------------------------------- vault and profiles


class ProfileExists(LocalError):
    """Nothing is overwritten: the folder holds something already."""

    template = "{folder} is not empty; choose another folder for the new profile."


class ProfileMissing(LocalError):
    """No profile where one was to be opened."""

    template = "There is no profile in {folder}."


class ProfileInUse(LocalError):
    """Another process holds the profile's lock."""

    template = "The profile in {folder} is open in another program; close that one first."


class ProfileUnwritable(LocalError):
    """The operating system refuses to read or write the profile; ``reason`` is its sentence."""

    template = "The profile in {folder} cannot be read or written: {reason}."


class SettingsUnwritable(LocalError):
    """What the window remembers between starts cannot be written; ``reason`` is the system's."""

    template = "The window's settings cannot be kept in {folder}: {reason}."


class WrongPassword(LocalError):
    """The password does not open the vault's key (or key.json was altered: it looks the same)."""

    template = "The password is wrong."


class BadPassword(LocalError):
    """A password that cannot be used for a new vault."""

    template = "This password cannot be used: {reason}."


class WeakVaultKey(LocalError):
    """key.json asks for less work than this program accepts: somebody may have weakened it."""

    template = "The vault's key.json is refused: {reason}."


class VaultDamaged(LocalError):
    """The vault's files were altered or are broken; nothing of them is used."""

    template = "The vault is damaged or was tampered with ({reason}); restore it from a backup."


class VaultTooNew(LocalError):
    """A newer program has written this vault."""

    template = "This vault has version {found}; this program knows up to {known}. Update it."


class VaultNotEncrypted(LocalError):
    """The database would be stored in the clear: never continue."""

    template = "The database library cannot encrypt; install apsw-sqlite3mc."


# ---------------------------------------------------------------- the client


class TextTooLong(LocalError):
    """A text above the limit of a message."""

    template = "The text has {size} bytes; a message takes at most {limit}. Send it as a file."


class BadText(LocalError):
    """A text that cannot be sent at all."""

    template = "This text cannot be sent: {reason}."


class BadReaction(LocalError):
    """A reaction that is no emoji."""

    template = "A reaction is one emoji, without letters."


class BadTimer(LocalError):
    """A time after which messages cannot disappear."""

    template = "Messages disappear after {shortest} seconds to {longest_days} days, or never (0)."


class PersonBlocked(LocalError):
    """Nothing is sent to somebody who is blocked."""

    template = "You have blocked {user_id}. Unblock them before you write."


class ContactLinkElsewhere(LocalError):
    """A contact link of another server."""

    template = "This contact link is of another server than this profile's."


class ContactLinkDiffers(LocalError):
    """A contact link names another key than the one known; nothing was changed."""

    template = (
        "This contact link names another key for {user_id} than the one known here. Nothing was "
        "changed: ask {user_id} over another channel before you trust the link or this chat."
    )


class QrCodeDiffers(LocalError):
    """A QR code that was read is of other keys, or of one's own screen."""

    template = (
        "This QR code is not what {user_id} should see: it belongs to other keys or names. Do not "
        "trust this conversation until you have found out why."
    )


class NoQrReader(LocalError):
    """What reads QR codes out of images is not installed."""

    template = (
        "Reading an image needs the extra parts of this program (pip install 'secure-chat[qr]'). "
        "Pasting the digits works without them."
    )


class QrImageUnusable(LocalError):
    """An image that cannot be read; ``reason`` says why."""

    template = "{path} cannot be read: {reason}."


class NoQrCode(LocalError):
    """An image without a QR code that can be read."""

    template = "There is no QR code in {path} that can be read; take a sharper picture."


class BadName(LocalError):
    """A name of somebody that cannot be shown."""

    template = "This name cannot be used: {reason}."


class FileTooLong(LocalError):
    """A file above the limit of the protocol."""

    template = "The file has {size} bytes; at most {limit} can be sent."


class FileChanged(LocalError):
    """A file had another size while it was read than before."""

    template = "The file changed while it was read; send it again."


class FileUnusable(LocalError):
    """Something that cannot be sent as a file."""

    template = "{path} cannot be sent: {reason}."


class FilesNotOffered(LocalError):
    """The server has no place for files."""

    template = "This server takes no files."


class NoFile(LocalError):
    """A message that brings no file was to be saved."""

    template = "Message {number} with {user_id} has no file."


class FileIsOurs(LocalError):
    """A file that we sent ourselves was to be saved."""

    template = "You sent this file yourself; it is at {path}."


class FileGone(LocalError):
    """The server keeps files only for a time."""

    template = "The file is no longer on the server; ask {user_id} to send it again."


class ForwardedGone(LocalError):
    """A file was forwarded that neither the server nor this device has."""

    template = (
        "The file is no longer on the server, and not on this device; remove this message, or ask"
        " whoever sent the file first to send it again."
    )


class FileDamaged(PeerError):
    """What the server has under a file's hash is not that file; nothing of it was kept."""

    template = "The file that the server gave is not the one that was sent; nothing was saved."


class NoRoom(LocalError):
    """A disk has less room than is needed."""

    template = "There is not enough room in {folder}: {needed} bytes are needed."


class NotYourMessage(LocalError):
    """Only who wrote a message may edit it, or delete it for both."""

    template = "Only {user_id} can change this message; you can remove it from this device."


class NoSuchMessage(LocalError):
    """The message was deleted, has disappeared, or never was here."""

    template = "There is no message {number} with {user_id} here; it may have been deleted."


class TooManyEdits(LocalError):
    """Every version of a message is kept, so their number is bounded."""

    template = "This message has been edited {limit} times; write a new one."


class NotToYourself(LocalError):
    """A conversation with one's own account."""

    template = "{user_id} is your own account; choose somebody else."


class KeyUnknown(LocalError):
    """A contact's key is needed and not known yet."""

    template = "The key of {user_id} is not known yet; open the conversation while online."


class ClockOff(LocalError):
    """The server's clock and ours are far apart; ``minutes`` is the distance."""

    template = "The clocks of this machine and of the server differ by {minutes} minutes."


class ConnectionSilent(LocalError):
    """The server has not answered for too long."""

    template = "The server has not answered for {seconds} seconds."


class NotConnected(LocalError):
    """What was asked needs the server now, and must not happen some time later."""

    template = "This needs a connection with the server, and there is none now."


class EngineFailed(LocalError):
    """A mistake in this program; its log has the details."""

    template = "The program made a mistake ({detail}) and connects again; its log says more."


class RestoredVault(LocalError):
    """The server has seen more of this device than its vault knows: the vault is an old copy."""

    template = (
        "This profile is an older copy of itself. New encrypted sessions are set up with your "
        "contacts; what arrived after the copy was made may be missing here."
    )


class UnexpectedAnswer(PeerError):
    """The server sent something that does not belong here."""

    template = "The server sent an unexpected answer ({what})."


class ReusedDeliveryId(PeerError):
    """A delivery id that was seen came again with another body."""

    template = "The server delivered another message under an id that was used before; refused."


class SenderDiffers(PeerError):
    """The server names one sender, the encryption proves another."""

    template = "A message was offered as from {claimed}, but its keys are of {proven}; refused."


class SenderUnknown(PeerError):
    """No session opens a message, and it begins none."""

    template = "A message offered as from {claimed} belongs to no session that is known here."


class Unreadable(PeerError):
    """A message that does not open; ``reason`` is the error of the layer that refused it."""

    template = "A message of {sender} could not be read: {reason}"


class RequestFull(PeerError):
    """A stranger who was not accepted sent more than is kept; what comes beyond is dropped."""

    template = (
        "{user_id}, whom you have not accepted, sent more than is kept; the rest is dropped."
        " Accept, delete or block the request."
    )


class TooManyRequests(PeerError):
    """A stranger wrote while as many as may be held wait for the person."""

    template = (
        "A message of {user_id} was not taken: too many strangers wait."
        " Accept, delete or block some of them."
    )


class OwnMessage(PeerError):
    """A message of our own came back as somebody else's."""

    template = "The server offered a message of our own as received; refused."


class SafetyNumberDiffers(LocalError):
    """The number that was compared is not this conversation's."""

    template = "This is not the safety number of the conversation with {user_id}."


# ---------------------------------------------------------------- the command line


class WrongArguments(LocalError):
    """The command cannot be understood; ``reason`` says what to write instead. Exit code 2."""

    template = "{reason}"


class NoPassword(WrongArguments):
    """No usable password was given."""

    template = "No password: {reason}."


class CannotRead(LocalError):
    """A file that was named cannot be read."""

    template = "Cannot read {path}: {reason}."


class CannotWrite(LocalError):
    """A file that was named cannot be written."""

    template = "Cannot write {path}: {reason}."


class NotDone(LocalError):
    """A command ended without what was asked; ``what`` is the whole sentence."""

    template = "{what}"
