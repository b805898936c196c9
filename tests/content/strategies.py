"""Contents of every type, as their senders may write them."""

from hypothesis import strategies as st

from secure_chat.client import content
from secure_chat.client.content import Content, ContentId, Place, Reference, cleaned_file_name
from secure_chat.client.content.check import EDITS, TIMER_LONGEST, TIMER_SHORTEST, cleaned_name
from secure_chat.crypto.files import FileKey
from secure_chat.protocol import limits

EMOJI = [
    "👍", "❤️", "👩‍👩‍👧‍👦", "👋🏽", "🇮🇷", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "7️⃣", "#️⃣", "‼️", "✔", "→", "🫠", "",
]  # fmt: skip

content_ids = st.binary(min_size=16, max_size=16).map(ContentId)
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
timers = st.just(0) | st.integers(TIMER_SHORTEST, TIMER_LONGEST)
references = st.builds(Reference, st.booleans(), content_ids)
names = st.text(st.characters(codec="utf-8"), max_size=60).map(cleaned_name)

digests = st.binary(min_size=32, max_size=32)
files = st.builds(
    content.File,
    st.text(st.characters(codec="utf-8"), max_size=60).map(cleaned_file_name),
    st.integers(0, limits.FILE),
    st.sampled_from(["image/png", "application/x-tar", "text/vnd.a+xml"]),
    digests.map(FileKey),
    digests,
)

payloads: st.SearchStrategy[content.Payload] = st.one_of(
    st.builds(content.Text, texts, timers, st.none() | references),
    st.builds(content.Text, texts | st.just(""), timers, st.none() | references, files),
    st.builds(content.Edit, content_ids, st.integers(1, EDITS), texts),
    st.builds(content.Delete, content_ids),
    st.builds(content.Reaction, references, st.integers(1, 2**32 - 1), st.sampled_from(EMOJI)),
    st.builds(content.Timer, st.integers(1, 2**63 - 1), timers),
    st.builds(content.Typing, st.booleans()),
    st.builds(content.Profile, st.integers(1, 2**32 - 1), names),
    st.builds(
        content.Receipt,
        st.lists(content_ids, min_size=1, max_size=4).map(tuple),
        read=st.booleans(),
    ),
    st.just(content.Turn()),
    st.just(content.SessionLost()),
)


def contents() -> st.SearchStrategy[Content]:
    """A whole content with its head."""
    u64 = st.integers(0, 2**64 - 1)
    places = st.builds(Place, st.binary(min_size=8, max_size=8), u64, st.booleans())
    return st.builds(Content, content_ids, u64, payloads, u64, u64, places)
