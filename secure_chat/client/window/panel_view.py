"""The trust panel beside a conversation: fingerprints, safety number, state, and what to do."""

import tkinter as tk
from collections.abc import Callable, Sequence

from secure_chat.client.presenter.rows import Mark, PanelRow
from secure_chat.client.window.shapes import trust_badge
from secure_chat.client.window.ui import Ui

_WIDTH = 264
_NUMBER_COLUMNS, _FINGERPRINT_COLUMNS = 4, 4


class PanelView(tk.Frame):
    """Drawn anew for each `PanelRow`; it has a dozen labels and changes rarely."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        on_compare: Callable[[], object],
        on_accept: Callable[[], object],
    ) -> None:
        super().__init__(parent, background=ui.colors.surface, width=ui.px(_WIDTH))
        self.pack_propagate(False)  # noqa: FBT003 - Tk's signature
        self._ui = ui
        self._on_compare = on_compare
        self._on_accept = on_accept
        self._shown: PanelRow | None = None
        self._wrap = ui.px(_WIDTH - 36)

    def show(self, row: PanelRow) -> None:
        """What is known about the two keys."""
        if row == self._shown:
            return
        self._shown = row
        for child in self.winfo_children():
            child.destroy()
        ui = self._ui
        body = ui.frame(self, ui.colors.surface)
        body.pack(fill="both", expand=True, padx=ui.px(18), pady=ui.px(16))
        if row.their_name is not None:
            self._show_state(body, row)
        if row.safety_number:
            self._title(body, ui.words("Safety number"))
            number_grid(body, ui, row.safety_number, _NUMBER_COLUMNS, "mono").pack(
                anchor=ui.start_anchor
            )
            self._show_choices(body, row)
        if row.their_fingerprint and row.their_name is not None:
            self._title(body, ui.words("Fingerprint of {name}", name=row.their_name))
            self._fingerprint(body, row.their_fingerprint)
        self._title(body, ui.words("Your fingerprint ({name})", name=row.our_name))
        self._fingerprint(body, row.our_fingerprint)
        if row.history:
            self._title(body, ui.words("History of this key"))
        for line in row.history:
            ui.label(body, line, font="small", color=ui.colors.muted, wrap=self._wrap).pack(
                anchor=ui.start_anchor
            )

    def _show_state(self, body: tk.Frame, row: PanelRow) -> None:
        ui, colors = self._ui, self._ui.colors
        line = ui.frame(body, colors.surface)
        line.pack(fill="x")
        size = round(ui.line_height * 0.9)
        badge = trust_badge(line, ui.discs, colors, row.mark, size)
        if row.mark is not Mark.NONE:
            badge.pack(side=ui.start, padx=(0, ui.px(8)) if ui.start == "left" else (ui.px(8), 0))
        color = {Mark.VERIFIED: colors.good, Mark.CHANGED: colors.danger}.get(row.mark, colors.text)
        ui.label(line, row.title, font="bold", color=color).pack(side=ui.start)
        ui.label(body, row.explanation, font="small", color=colors.muted, wrap=self._wrap).pack(
            anchor=ui.start_anchor,
            pady=(ui.px(4), 0),
        )

    def _show_choices(self, body: tk.Frame, row: PanelRow) -> None:
        """The safe choice comes first."""
        ui = self._ui
        if row.may_verify:
            text = ui.words("Compare and mark verified")
            ui.button(body, text, self._on_compare, "Accent").pack(fill="x", pady=(ui.px(10), 0))
        if row.must_decide:
            text = ui.words("Go on without comparing")
            ui.button(body, text, self._on_accept, "Danger").pack(fill="x", pady=(ui.px(6), 0))

    def _title(self, body: tk.Frame, text: str) -> None:
        ui = self._ui
        ui.label(body, text, font="small_bold", color=ui.colors.text).pack(
            anchor=ui.start_anchor,
            pady=(ui.px(16), ui.px(4)),
        )

    def _fingerprint(self, body: tk.Frame, groups: Sequence[str]) -> None:
        grid = number_grid(body, self._ui, groups, _FINGERPRINT_COLUMNS, "mono_small")
        grid.pack(anchor=self._ui.start_anchor)


def number_grid(
    parent: tk.Misc, ui: Ui, groups: Sequence[str], columns: int, font: str
) -> tk.Frame:
    """Groups from left to right in rows, in every language: a label each.

    In one label of a right-to-left line the groups would appear in reverse.
    """
    ground = str(parent.cget("background"))
    grid = tk.Frame(parent, background=ground)
    for index, group in enumerate(groups):
        label = tk.Label(
            grid, text=group, font=ui.fonts[font], background=ground, foreground=ui.colors.text,
            borderwidth=0, padx=0, pady=0,
        )  # fmt: skip
        label.grid(
            row=index // columns,
            column=index % columns,
            padx=(0, ui.px(9)),
            pady=ui.px(1),
            sticky="w",
        )
    return grid
