"""A QR code on the screen: black on white in both themes, with its quiet zone."""

import tkinter as tk
from base64 import b64encode

from secure_chat.client import qr
from secure_chat.client.window.ui import Ui


def code_label(parent: tk.Misc, ui: Ui, content: str, size: int) -> tk.Label:
    """A label with the code of ``content``, at most ``size`` design pixels wide."""
    image = tk.PhotoImage(master=parent, data=b64encode(qr.png(content, ui.px(size))))
    label = tk.Label(
        parent, image=image, borderwidth=0, background="#ffffff", highlightthickness=1,
        highlightbackground=ui.colors.line,
    )  # fmt: skip
    # Tk keeps no reference of its own; and the image must go on this thread, with the label: its
    # destructor calls Tk from whichever thread collects garbage.
    kept = [image]
    label.bind("<Destroy>", lambda _: kept.clear())
    return label
