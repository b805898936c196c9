"""The Tk window. The only package that imports tkinter; `run` is its one entrance."""

from secure_chat.client.presenter.accounts import Accounts
from secure_chat.client.presenter.settings import FILE_NAME, Options, Settings
from secure_chat.client.window.app import App, language_of

__all__ = ["Options", "run"]


def run(options: Options, accounts: Accounts | None = None) -> int:
    """Show the window until it is closed; returns the exit code.

    ``accounts`` stands in for the profiles of this machine in tests. Raises `tkinter.TclError`
    where there is no screen; importing this package raises ImportError where there is no tkinter.
    """
    if accounts is None:
        from secure_chat.client.presenter.profiles import Profiles

        only = options.profile
        accounts = Profiles(options.root, only if only is not None and only.exists() else None)
    path = accounts.remembered / FILE_NAME if accounts.remembered is not None else None
    settings = Settings.load(path, language=language_of(options))
    settings.language = options.language or settings.language
    settings.theme = options.theme or settings.theme
    return App(options, accounts, settings).run()
