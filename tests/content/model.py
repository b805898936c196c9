"""A conversation in memory: what `rules.take` looks at, and what its effects make of it."""

from secure_chat.client.content import ContentId, Timer, rules
from secure_chat.client.content.rules import OURSELVES, Author, Ref, Version

Shown = dict[tuple[bytes, bytes], tuple[str, frozenset[tuple[bytes, str]], tuple[bytes, bytes]]]
"""(author, id) -> text as shown, reactions by whom, quote; each party under its real key."""


class Memory:
    """Implements `rules.View`."""

    def __init__(self) -> None:
        self.lines: dict[Ref, rules.AddLine] = {}
        self.gone: set[Ref] = set()
        self.edits: dict[Ref, dict[int, str]] = {}
        self.reactions: dict[tuple[Ref, Author], Version] = {}
        self.names: dict[Author, Version] = {}
        self.clock = Timer(0, 0)
        self.sent_to: dict[ContentId, Author] = {}
        self.marks: dict[ContentId, bool] = {}
        self.refused: list[str] = []

    def is_here(self, ref: Ref) -> bool:
        return ref in self.lines and ref not in self.gone

    def is_gone(self, ref: Ref) -> bool:
        return ref in self.gone

    def edit(self, ref: Ref, revision: int) -> str | None:
        return self.edits.get(ref, {}).get(revision)

    def reaction(self, ref: Ref, by: Author) -> Version | None:
        return self.reactions.get((ref, by))

    def timer(self) -> Timer:
        return self.clock

    def name(self, of: Author) -> Version | None:
        return self.names.get(of)

    def addressee(self, content_id: ContentId) -> Author | None:
        return self.sent_to.get(content_id)

    def apply(self, effect: rules.Effect) -> None:
        match effect:
            case rules.AddLine(ref=ref):
                self.lines[ref] = effect
            case rules.PutEdit(ref=ref, revision=revision, text=text):
                self.edits.setdefault(ref, {})[revision] = text
            case rules.Erase(ref=ref):
                self.erase(ref)
            case rules.PutReaction(ref=ref, by=by, version=version):
                self.reactions[ref, by] = version
            case rules.PutTimer(timer=timer):
                self.clock = timer
            case rules.PutName(of=of, version=version):
                self.names[of] = version
            case rules.Mark(content_id=content_id, read=read):
                self.marks[content_id] = self.marks.get(content_id, False) or read
            case rules.NotApplied(because=because):
                self.refused.append(because)
            case _:
                pass

    def erase(self, ref: Ref) -> None:
        self.gone.add(ref)
        self.edits.pop(ref, None)
        for key in [key for key in self.reactions if key[0] == ref]:
            del self.reactions[key]

    def text(self, ref: Ref) -> str:
        edits = self.edits.get(ref)
        return edits[max(edits)] if edits else self.lines[ref].text

    def shown(self, me: bytes) -> Shown:
        """What a person sees, with ``me`` in place of "ourselves", so that two sides compare."""

        def real(author: Author) -> bytes:
            return me if author == OURSELVES else author

        return {
            (real(ref.author), ref.content_id): (
                self.text(ref),
                frozenset(
                    (real(by), version.text)
                    for (about, by), version in self.reactions.items()
                    if about == ref and version.text
                ),
                (b"", b"")
                if line.quote is None
                else (real(line.quote.author), line.quote.content_id),
            )
            for ref, line in self.lines.items()
            if ref not in self.gone
        }
