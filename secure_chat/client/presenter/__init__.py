"""What a person sees, decided without a toolkit.

Between the engine's events and the widgets: events and the person's actions go in, frozen rows
and texts come out, already in the person's language. Nothing here imports tkinter, so all of it is
tested without a screen; the window only draws what it is given and reports what was pressed.
"""
