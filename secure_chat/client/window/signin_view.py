"""The sign-in screen: one card, mistakes beside the fields, progress while keys are made."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from secure_chat.client.presenter.accounts import KnownProfile
from secure_chat.client.presenter.settings import Options
from secure_chat.client.presenter.signin import Entered, Field, SignIn, Stage
from secure_chat.client.window import choosing, toggles
from secure_chat.client.window.pages.page import descendants
from secure_chat.client.window.pages.strength_bar import StrengthBar
from secure_chat.client.window.ui import Ui
from secure_chat.protocol.invite import is_contact_link

_WIDTH = 420
_CHOICE = "chosen_profile"
_NOT_WRITING = {"Tab", "ISO_Left_Tab", "Return", "Shift_L", "Shift_R", "Control_L", "Control_R"}
_HALF = {Field.PASSWORD, Field.REPEAT}  # these two stand side by side


class SignInView(tk.Frame):
    """Draws a `SignIn`. With profiles on this machine it asks for a password only."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        signin: SignIn,
        options: Options,
        corner: Callable[[tk.Misc], tk.Frame],
    ) -> None:
        super().__init__(parent, background=ui.colors.ground)
        self._ui, self._signin = ui, signin
        self._ca_file = str(options.ca_file or "")
        # A contact link waits until somebody has signed in.
        self._link = "" if is_contact_link(options.link) else options.link
        profiles = list(signin.profiles)
        chosen = [one for one in profiles if one.folder == options.profile]
        self._profiles = chosen or profiles
        self._new = bool(self._link) or not self._profiles
        if self._new and is_contact_link(options.link):
            signin.mistakes[Field.LINK] = signin.typed(Field.LINK, Entered(link=options.link)).text
        self._advanced = bool(self._ca_file)
        self._chosen: KnownProfile | None = self._profiles[0] if self._profiles else None
        self.fields: dict[Field, ttk.Entry] = {}
        self._notes: dict[Field, tk.Label] = {}
        self._busy: list[ttk.Widget] = []
        corner(self).pack(side="bottom", fill="x", padx=ui.px(14), pady=ui.px(10))
        self._stage = tk.Frame(self, background=ui.colors.ground)
        self._stage.pack(fill="both", expand=True)
        self._build()

    # ------------------------------------------------------------ structure

    def _build(self) -> None:
        kept = self.entered()
        for child in self._stage.winfo_children():
            child.destroy()
        self.fields, self._notes, self._busy = {}, {}, []
        ui, colors = self._ui, self._ui.colors
        card = ui.card(self._stage)
        self._card, self._above = card, 0
        body = ui.frame(card, colors.surface)
        body.pack(padx=ui.px(34), pady=ui.px(26))
        tk.Frame(body, width=ui.px(_WIDTH), height=1, background=colors.surface).pack()
        ui.label(body, "secure_chat", font="huge", color=colors.accent).pack(anchor=ui.start_anchor)
        if self._new:
            self._build_new(body, kept)
        else:
            self._build_known(body)
        self._build_foot(body)
        self._show_mistakes()
        card.bind("<Configure>", self._place_card)
        self._stage.bind("<Configure>", self._place_card)
        for widget in (self._stage, card, *descendants(card)):
            widget.bind("<FocusIn>", self._reveal, add="+")
            widget.bind("<MouseWheel>", lambda e: self._wheel(-1 if e.delta > 0 else 1), add="+")
            widget.bind("<Button-4>", lambda _: self._wheel(-1), add="+")
            widget.bind("<Button-5>", lambda _: self._wheel(1), add="+")
        self._place_card()

    def _place_card(self, _event: object = None) -> None:
        """In the middle; where the window is too low for all of it, `_above` is out of sight."""
        over = self._card.winfo_reqheight() - self._stage.winfo_height()
        if over <= 0 or self._stage.winfo_height() <= 1:
            self._card.place(relx=0.5, rely=0.5, y=0, anchor="center")
            return
        self._above = max(0, min(self._above, over))
        self._card.place(relx=0.5, rely=0.0, y=-self._above, anchor="n")

    def _reveal(self, event: "tk.Event[tk.Misc]") -> None:
        """What has the keyboard comes into view."""
        top = event.widget.winfo_rooty() - self._card.winfo_rooty()
        room, margin = self._stage.winfo_height(), self._ui.px(40)
        low = top + event.widget.winfo_height() + margin - room
        self._above = min(max(self._above, low), max(0, top - margin))
        self._place_card()

    def _wheel(self, direction: int) -> None:
        self._above += direction * self._ui.px(60)
        self._place_card()

    def _build_new(self, body: tk.Frame, kept: Entered) -> None:
        ui = self._ui
        self._subtitle(body, ui.words("Paste the invite link, choose a name and a password."))
        link = self._field(
            body, Field.LINK, ui.words("Invite link or server"), kept.link or self._link
        )
        self._field(body, Field.NAME, ui.words("Your name here"), kept.name)
        pair = ui.frame(body, ui.colors.surface)
        pair.pack(fill="x")
        pair.columnconfigure((0, 1), weight=1, uniform="passwords")
        first, second = ui.frame(pair, ui.colors.surface), ui.frame(pair, ui.colors.surface)
        gap = (0, ui.px(10))
        first.grid(
            row=0, column=int(ui.words.rtl), sticky="new", padx=gap if not ui.words.rtl else 0
        )
        second.grid(
            row=0, column=int(not ui.words.rtl), sticky="new", padx=gap if ui.words.rtl else 0
        )
        password = self._field(
            first, Field.PASSWORD, ui.words("Password"), kept.password, secret=True
        )
        self._bar = StrengthBar(self._after(Field.PASSWORD), ui, ui.px(_WIDTH) // 2 - ui.px(10))
        self._field(second, Field.REPEAT, ui.words("Password again"), kept.repeat, secret=True)
        for field in (Field.LINK, Field.NAME, Field.REPEAT):
            self.fields[field].bind(
                "<KeyRelease>",
                lambda event, field=field: self._on_typed(field, event),  # type: ignore[misc]
            )
        password.bind("<KeyRelease>", lambda _: self._on_password())
        self._build_advanced(body, kept)
        self._button = ui.button(body, ui.words("Create account"), self.submit, "Accent")
        self._button.pack(fill="x", pady=(ui.px(16), 0))
        self._busy.append(self._button)
        empty = Field.NAME if link.get() else Field.LINK
        self.fields[empty].focus_set()
        self._on_typed(Field.LINK)

    def _build_advanced(self, body: tk.Frame, kept: Entered) -> None:
        ui = self._ui
        sign = "▾" if self._advanced else ("◂" if ui.words.rtl else "▸")
        text = f"{sign} " + ui.words("Advanced")
        fold = ui.button(body, text, self._fold, "Bar")
        fold.pack(anchor=ui.start_anchor, pady=(ui.px(6), 0))
        self._busy.append(fold)
        if not self._advanced:
            return
        entry = self._field(
            body, Field.CA_FILE, ui.words("Certificate authority (a .pem file)"),
            kept.ca_file or self._ca_file,
        )  # fmt: skip
        choose = ui.button(
            self._after(Field.CA_FILE), ui.words("Choose a file…"), self._choose, "Bar"
        )
        choose.pack(anchor=ui.start_anchor)
        self._busy.append(choose)
        entry.bind("<Return>", lambda _: self.submit())

    def _build_known(self, body: tk.Frame) -> None:
        ui = self._ui
        self._subtitle(body, ui.words("Welcome back. Your password unlocks your keys."))
        people = ui.frame(body, ui.colors.surface)
        people.pack(fill="x", pady=(ui.px(12), 0))
        # A name, not a StringVar: its destructor calls Tk from whichever thread collects garbage.
        self.setvar(_CHOICE, str(self._chosen.folder if self._chosen else ""))
        for profile in self._profiles:
            self._profile(people, profile)
        self._field(body, Field.PASSWORD, ui.words("Password"), "", secret=True).focus_set()
        self._button = ui.button(body, ui.words("Sign in"), self.submit, "Accent")
        self._button.pack(fill="x", pady=(ui.px(16), 0))
        self._busy.append(self._button)

    def _profile(self, parent: tk.Frame, profile: KnownProfile) -> None:
        choice = toggles.radio(
            parent, self._ui, "  ·  ".join(filter(None, (profile.name, profile.server))),
            variable=_CHOICE, value=str(profile.folder),
            command=lambda: self._choose_profile(profile),
        )  # fmt: skip
        choice.pack(anchor=self._ui.start_anchor)

    def _build_foot(self, body: tk.Frame) -> None:
        ui = self._ui
        self._notes[Field.WHOLE] = ui.label(body, color=ui.colors.danger, font="small")
        self._progress = ttk.Progressbar(body, mode="indeterminate", length=ui.px(_WIDTH))
        self._status = ui.label(body, font="small", color=ui.colors.muted)
        self._cancel = ui.button(body, ui.words("Cancel"), self._give_up, "Bar")
        if self._profiles:
            other = (
                ui.words("Use a profile that exists")
                if self._new
                else ui.words("Create another account")
            )
            switch = ui.button(body, other, self._switch, "Bar")
            switch.pack(pady=(ui.px(8), 0))
            self._busy.append(switch)

    def _subtitle(self, body: tk.Frame, text: str) -> None:
        ui = self._ui
        ui.label(body, text, color=ui.colors.muted, wrap=ui.px(_WIDTH)).pack(
            anchor=ui.start_anchor,
            pady=(ui.px(2), ui.px(4)),
        )

    def _field(
        self, body: tk.Frame, field: Field, label: str, value: str, *, secret: bool = False
    ) -> ttk.Entry:
        """A label, an entry, and the place where its mistake will stand."""
        ui = self._ui
        box = ui.frame(body, ui.colors.surface)
        box.pack(fill="x", pady=(ui.px(9), 0))
        ui.label(box, label, font="small_bold").pack(anchor=ui.start_anchor)
        entry = ttk.Entry(box, font=ui.fonts["text"], show="•" if secret else "")
        entry.insert(0, value)
        entry.pack(fill="x", pady=(ui.px(2), 0))
        entry.bind("<Return>", lambda _: self.submit())
        entry.bind("<KP_Enter>", lambda _: self.submit())
        entry.bind("<FocusOut>", lambda _: self._on_left(field), add="+")
        self.fields[field] = entry
        self._notes[field] = ui.label(box, font="small", color=ui.colors.danger)
        self._busy.append(entry)
        return entry

    def _after(self, field: Field) -> tk.Misc:
        return self.fields[field].master

    # ------------------------------------------------------------ what a person does

    def entered(self) -> Entered:
        """What stands in the fields now."""
        values = {field.value: entry.get() for field, entry in self.fields.items()}
        return Entered(**values)

    def submit(self) -> None:
        """Begin, or say beside the fields what is wrong."""
        if self._new:
            self._signin.create(self.entered())
        elif self._chosen is not None:
            self._signin.open(self._chosen, self.entered().password)
        self.refresh()

    def _give_up(self) -> None:
        self._signin.cancel()
        self.refresh()

    def _switch(self) -> None:
        self._new = not self._new
        self._signin.mistakes = {}
        self._build()

    def _fold(self) -> None:
        self._advanced = not self._advanced
        self._build()

    def _choose(self) -> None:
        words = self._ui.words
        kinds = (("PEM", "*.pem *.crt"), (words("All files"), "*"))
        path = choosing.a_file(self, words("Certificate authority"), kinds)
        if path is not None and Field.CA_FILE in self.fields:
            self.fields[Field.CA_FILE].delete(0, "end")
            self.fields[Field.CA_FILE].insert(0, str(path))

    def _choose_profile(self, profile: KnownProfile) -> None:
        self._chosen = profile
        self.fields[Field.PASSWORD].focus_set()

    def _on_typed(self, field: Field, event: "tk.Event[tk.Misc] | None" = None) -> None:
        """A field has another content: what was wrong with it is over, or said anew."""
        if event is not None and event.keysym in _NOT_WRITING:
            return
        colors = self._ui.colors
        if event is not None:
            self._signin.mistakes.pop(field, None)
        if field not in self._signin.mistakes:
            typed = self._signin.typed(field, self.entered())
            color = colors.danger if typed.is_mistake else colors.muted
            self._note(field, typed.text, colors.good if typed.is_good else color)

    def _on_left(self, field: Field) -> None:
        """One goes on to something else: what is wrong so far is wrong."""
        if not self._new or field in self._signin.mistakes or field not in self.fields:
            return
        said = self._signin.left(field, self.entered())
        if said is not None and self._signin.stage is Stage.FORM:
            self._note(field, said.text, self._ui.colors.danger)

    def _on_password(self) -> None:
        ui, password = self._ui, self.fields[Field.PASSWORD].get()
        if not password:
            self._bar.pack_forget()
            self._note(Field.PASSWORD, "", "")
            self._on_typed(Field.REPEAT)
            return
        step, word = self._signin.strength_of(password, self.fields[Field.NAME].get())
        color = self._bar.show(step)
        self._bar.pack(fill="x", pady=(ui.px(4), 0))
        self._note(Field.PASSWORD, word, color)
        self._on_typed(Field.REPEAT)

    # ------------------------------------------------------------ what is shown

    def refresh(self) -> None:
        """Show stage and mistakes as they are now."""
        known = list(self._signin.profiles)
        if self._signin.stage is Stage.FORM and self._signin.said and known != self._profiles:
            kept = [one for one in known if one not in self._profiles]  # it was just being made
            self._profiles, self._new = known, False
            self._chosen = next(iter((*kept, *known)), None)
            self._build()
        ui, working = self._ui, self._signin.stage in {Stage.WORKING, Stage.REGISTERING}
        for widget in self._busy:
            widget.state(["disabled"] if working else ["!disabled"])
        ui.write(self._status, self._signin.progress)
        if working:
            self._progress.pack(fill="x", pady=(ui.px(14), ui.px(4)))
            self._status.pack(anchor=ui.start_anchor)
            self._progress.start(20)
        else:
            self._progress.stop()
            self._progress.pack_forget()
            self._status.pack_forget()
        if self._signin.stage is Stage.REGISTERING:
            self._cancel.pack(anchor=ui.start_anchor)
        else:
            self._cancel.pack_forget()
        self._show_mistakes()

    def mistake_beside(self, field: Field) -> str:
        """What stands under a field now, on one line."""
        note = self._notes[field]
        return str(note.cget("text")).replace("\n", " ") if note.winfo_ismapped() else ""

    def _show_mistakes(self) -> None:
        mistakes = self._signin.mistakes
        for field in self._notes:
            if field in mistakes:
                self._note(field, mistakes[field], self._ui.colors.danger)
            elif field is Field.WHOLE:
                self._note(field, self._signin.said, self._ui.colors.good)
            elif field is not Field.LINK:
                self._note(field, "", "")
        if Field.LINK in self.fields and Field.LINK not in mistakes:
            self._on_typed(Field.LINK)
        if self._new:
            again = self._signin.may_retry and bool(mistakes)
            text = self._ui.words("Try again") if again else self._ui.words("Create account")
            self._button.configure(text=self._ui.say(text))
        first = next((field for field in self.fields if field in mistakes), None)
        if first is not None:
            self.fields[first].focus_set()

    def _note(self, field: Field, text: str, color: str) -> None:
        """The line under a field."""
        note, ui = self._notes[field], self._ui
        if not text:
            note.pack_forget()
            return
        note.configure(foreground=color)
        wrap = ui.px(_WIDTH) // 2 - ui.px(10) if self._new and field in _HALF else ui.px(_WIDTH)
        ui.write(note, text, font="small", wrap=wrap)
        note.pack(anchor=ui.start_anchor, pady=(ui.px(2), 0))
