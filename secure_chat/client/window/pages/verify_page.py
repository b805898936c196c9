"""Making sure of a contact's key: digits, QR codes both ways, a contact link; and its history."""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.events import Event
from secure_chat.client.presenter.people import MARKS
from secure_chat.client.presenter.rows import Mark
from secure_chat.client.presenter.verifying import HistoryRow, Verifying
from secure_chat.client.window.pages.add_page import choose_image
from secure_chat.client.window.pages.code import code_label
from secure_chat.client.window.pages.page import Page
from secure_chat.client.window.panel_view import number_grid
from secure_chat.client.window.shapes import trust_badge
from secure_chat.client.window.ui import Ui

_CODE = 190  # design pixels


class VerifyPage(Page):
    """Draws a `Verifying`. The keyboard begins on what changes nothing."""

    def __init__(
        self, parent: tk.Misc, ui: Ui, verifying: Verifying, on_close: Callable[[], object]
    ) -> None:
        title = ui.words("Verify {name}", name=verifying.user_id)
        super().__init__(parent, ui, title, on_close)
        self._verifying = verifying
        self._content = ui.frame(self.body)
        self._content.pack(fill="x")
        self.show()
        self.back.focus_set()

    def show(self, *, differ: bool = False) -> None:
        """Everything, or what to do about digits that differ."""
        for child in self._content.winfo_children():
            child.destroy()
        if differ:
            self._difference()
        else:
            self._state()
            self._digits()
            self._codes()
            self._history()
        self.settle()

    def take(self, event: Event) -> None:
        """The key came, or is another one, while the page is open."""
        if self._verifying.take(event):
            self.show()

    # ------------------------------------------------------------ the cards

    def _state(self) -> None:
        """How it stands, as a sign and a word; and what came of the last try."""
        ui, verifying = self.ui, self._verifying
        card = self.card(parent=self._content)
        safety = verifying.safety
        mark = MARKS[safety.trust] if safety is not None else Mark.NONE
        line = ui.frame(card, ui.colors.surface)
        line.pack(anchor=ui.start_anchor)
        if mark is not Mark.NONE:
            badge = trust_badge(line, ui.discs, ui.colors, mark, round(ui.line_height * 0.95))
            badge.pack(side=ui.start, padx=(0, ui.px(8)) if ui.start == "left" else (ui.px(8), 0))
        title, color = self._state_words(mark)
        ui.label(line, title, font="bold", color=color).pack(side=ui.start)
        if mark is Mark.CHANGED:
            self.text(
                card,
                ui.words(
                    "{name} may have a new device, or somebody may pretend to be {name}. Nothing "
                    "is sent until you compare here, or decide to go on without.",
                    name=verifying.user_id,
                ),
            )
        if verifying.said is not None:
            said = verifying.said
            sign = "✓ " if said.good else "⚠ " if said.alarm else ""
            color = ui.colors.good if said.good else ui.colors.danger
            self.text(card, sign + said.text, color=color, font="bold" if said.alarm else "text")

    def _state_words(self, mark: Mark) -> tuple[str, str]:
        words, colors = self.ui.words, self.ui.colors
        return {
            Mark.NONE: (words("The key has not been fetched yet"), colors.muted),
            Mark.NEW: (words("New, not compared"), colors.text),
            Mark.VERIFIED: (words("Verified"), colors.good),
            Mark.CHANGED: (words("The key has changed"), colors.danger),
        }[mark]

    def _digits(self) -> None:
        ui, verifying = self.ui, self._verifying
        safety = verifying.safety
        if safety is None:
            return
        card = self.card(ui.words("1. Compare the digits"), self._content)
        self.small(
            card,
            ui.words(
                "Meet {name} or call on another channel, and read the digits to each other. "
                "Both of you must see the same twelve groups.",
                name=verifying.user_id,
            ),
        )
        well = tk.Frame(card, background=ui.colors.ground)
        well.pack(fill="x", pady=(ui.px(10), 0))
        number_grid(well, ui, safety.safety_number, 4, "mono_big").pack(
            padx=(ui.px(22), ui.px(12)), pady=ui.px(12)
        )
        differ = (ui.words("They differ"), lambda: self.show(differ=True), "")
        if verifying.is_verified:
            self.buttons(card, differ)
        else:
            same = (ui.words("They are the same: mark verified"), self._same, "Accent")
            self.buttons(card, same, differ)

    def _codes(self) -> None:
        ui, verifying = self.ui, self._verifying
        card = self.card(ui.words("2. Or by QR code or contact link"), self._content)
        code = verifying.our_code
        if code:
            self.small(
                card,
                ui.words("{name} reads this code from your screen:", name=verifying.user_id),
            )
            code_label(card, ui, code, _CODE).pack(anchor=ui.start_anchor, pady=(ui.px(8), 0))
            self.buttons(
                card, (ui.words("Copy its digits"), lambda: self._copy(code), "Bar"), above=4
            )
        self.pasted = self.field(
            card,
            ui.words("Their code: paste its digits or {name}'s contact link",
                     name=verifying.user_id),
        )  # fmt: skip
        self.pasted.entry.bind("<Return>", lambda _: self._read_text())
        self.buttons(
            card,
            (ui.words("Check it"), self._read_text, ""),
            (ui.words("From an image…"), self._read_image, ""),
        )
        self.small(
            card,
            ui.words(
                "A picture, digits or link prove something only if they reached you by a way that "
                "you trust, and not through this server."
            ),
        )

    def _history(self) -> None:
        rows = self._verifying.history
        if not rows:
            return
        card = self.card(self.ui.words("History of this key"), self._content)
        for row in rows:
            self._moment(card, row)

    def _moment(self, card: tk.Frame, row: HistoryRow) -> None:
        ui = self.ui
        line = ui.frame(card, ui.colors.surface)
        line.pack(fill="x", pady=(ui.px(6), 0))
        color = ui.colors.danger if row.alarm else ui.colors.text
        sign = "⚠ " if row.alarm else ""
        ui.label(line, sign + row.what, font="small", color=color).pack(side=ui.start)
        under = ui.frame(card, ui.colors.surface)
        under.pack(fill="x")
        ui.label(under, row.when, font="small", color=ui.colors.muted).pack(side=ui.start)
        if row.key:
            grid = number_grid(under, ui, (*row.key, "…"), 4, "mono_small")
            grid.pack(side=ui.start, padx=ui.px(12))

    def _difference(self) -> None:
        """The digits differ: somebody else holds a key under the name of one of the two."""
        ui, name = self.ui, self._verifying.user_id
        card = self.card(parent=self._content)
        self.text(
            card, ui.words("Do not write to {name} here", name=name), font="title",
            color=ui.colors.danger,
        )  # fmt: skip
        self.text(
            card,
            ui.words(
                "Different numbers mean that somebody else holds a key under the name of one of "
                "you. Ask {name} whether they use this server and this name; until the numbers "
                "agree, trust nothing that was said here.",
                name=name,
            ),
        )
        again, _ = self.buttons(
            card,
            (ui.words("Compare again"), self.show, "Accent"),
            (ui.words("Back"), self.close, ""),
        )
        again.focus_set()

    # ------------------------------------------------------------ what a person does

    def _same(self) -> None:
        self._verifying.same()
        self._tried()

    def _read_text(self) -> str:
        self._verifying.read_text(self.pasted.value)
        self._tried()
        return "break"

    def _read_image(self) -> None:
        path = choose_image(self, self.ui)
        if path is not None:
            self._verifying.read_image(path)
            self._tried()

    def _tried(self) -> None:
        self.show()
        self.back.focus_set()

    def _copy(self, text: str) -> None:
        self.clipboard_clear()
        self.clipboard_append(text)
