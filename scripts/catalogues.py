#!/usr/bin/env python3
"""The catalogues of the interface: found in the code, kept in .po files, compiled to .mo.

    python3 scripts/catalogues.py            # update the .pot and .po files, compile the .mo files
    python3 scripts/catalogues.py --check    # exit code 1 if anything is not up to date or missing

Keys are the texts in ``words("…")``, ``self._("…")``, ``….plural("…", "…", n)`` and ``N_("…")``
under secure_chat/client, the templates of the errors, the sentences of the error codes and those
that the engine writes into conversations, and the reasons that errors are given on the client's
side. Only the standard library is used.
"""

import argparse
import ast
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_ROOT = Path(__file__).resolve().parent.parent
_CLIENT = _ROOT / "secure_chat" / "client"
_ERRORS = _ROOT / "secure_chat" / "errors.py"
_PACKAGE = _CLIENT.parent
REASONED = [
    *(_CLIENT, _PACKAGE / "protocol", _PACKAGE / "crypto"),
    *(_PACKAGE / name for name in ("channel.py", "openssl.py", "tls.py")),
]
_REASON_TABLES = {"_REASONS", "_REFUSALS", "_ALERTS"}
_NAMING = {"Reader", "_flag", "_utf8", "agree", "check_curve_key", "verify"}
_LOCALE = _CLIENT / "locale"
_TEMPLATE = _LOCALE / "secure_chat.pot"
_MAGIC = 0x950412DE
_CALLS = {"words", "N_", "_", "_words"}
_PLURAL_FORMS = {"fa": "nplurals=2; plural=(n > 1);", "": "nplurals=2; plural=(n != 1);"}


class Key(NamedTuple):
    """One text of the interface; ``plural`` is empty where it has only one form."""

    text: str
    plural: str = ""


Catalogue = dict[Key, tuple[str, ...]]


# ---------------------------------------------------------------- finding


def find_keys() -> list[Key]:
    """All keys, in the order of files and lines, each once."""
    found: dict[Key, None] = {}
    for path in sorted(_CLIENT.rglob("*.py")):
        found |= dict.fromkeys(keys_in(ast.parse(path.read_text("utf-8"))))
    for path in sorted((_CLIENT / "engine").glob("*.py")):
        found |= dict.fromkeys(_sentences_in(ast.parse(path.read_text("utf-8"))))
    found |= dict.fromkeys(_error_keys(ast.parse(_ERRORS.read_text("utf-8"))))
    for place in REASONED:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            found |= dict.fromkeys(_reasons_in(ast.parse(path.read_text("utf-8"))))
    return list(found)


def keys_in(tree: ast.AST) -> Iterator[Key]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _name_of(node.func)
        texts = [_text_of(argument) for argument in node.args[:2]]
        if name == "plural" and len(texts) == 2 and texts[0] and texts[1]:
            yield Key(texts[0], texts[1])
        elif name in _CALLS and texts and texts[0]:
            yield Key(texts[0])


def _sentences_in(tree: ast.Module) -> Iterator[Key]:
    """``NAME = "A sentence about {user_id}."`` in the engine: the lines of our own program."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and (text := _text_of(node.value)).endswith("."):
            yield Key(text)


def _error_keys(tree: ast.AST) -> Iterator[Key]:
    """``template = "…"`` of each error, and the sentence of each ``CodeInfo("…")``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name_of(node.func) == "CodeInfo":
            yield Key(_text_of(node.args[0]))
            continue
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(target, ast.Name) and target.id == "template" for target in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            text = _text_of(node.value) if node.value is not None else ""
            if not text or text.strip("{}").isidentifier():
                continue  # nothing, or nothing but a fact
            yield Key(text)


def _reasons_in(tree: ast.AST) -> Iterator[Key]:
    """Why something failed, and what: in arguments, in ``Reason("…")``, in functions and tables."""
    for node in ast.walk(tree):
        texts: list[ast.expr] = []
        match node:
            case ast.keyword(arg="reason" | "what", value=value):
                texts = [value]
            case ast.Call(func=ast.Attribute(attr="_failed"), args=[ast.JoinedStr(values=values)]):
                texts = values[:1]
            case ast.Call(func=ast.Attribute(attr="_failed"), args=args):
                texts = args
            case ast.Call(func=ast.Name(id="Reason"), args=args):
                texts = args
            case ast.FunctionDef(name="_reason" | "explain"):
                texts = [one.value for one in ast.walk(node)
                         if isinstance(one, ast.Return) and one.value is not None]  # fmt: skip
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(values=values)):
                texts = values if name in _REASON_TABLES else []
            case ast.Assign(targets=[ast.Name(id="reason")], value=value):
                texts = [value]
            case ast.Call(func=function, args=[*_, value]) if _name_of(function) in _NAMING:
                texts = [value]  # what is wrong if it turns out to be
        yield from (Key(text.removesuffix(": ")) for one in texts if (text := _text_of(one)))


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""


def _text_of(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


# ---------------------------------------------------------------- .po files


def read_po(path: Path) -> Catalogue:
    """The translations in a file that `write_po` wrote and a translator filled in."""
    catalogue: Catalogue = {}
    for block in path.read_text("utf-8").split("\n\n") if path.exists() else []:
        fields: dict[str, str] = {}
        current = ""
        for line in block.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if not line.startswith('"'):
                current, _, line = line.partition(" ")
            fields[current] = fields.get(current, "") + str(ast.literal_eval(line))
        forms = tuple(fields[name] for name in sorted(fields) if name.startswith("msgstr"))
        if fields.get("msgid"):
            catalogue[Key(fields["msgid"], fields.get("msgid_plural", ""))] = forms
    return catalogue


def write_po(language: str, keys: list[Key], known: Catalogue) -> str:
    """The file's text: all keys, with what is known of them."""
    blocks = [_header(language)]
    for key in keys:
        forms = known.get(key, ("",) * (2 if key.plural else 1))
        lines = [f"msgid {_quoted(key.text)}"]
        if key.plural:
            lines.append(f"msgid_plural {_quoted(key.plural)}")
            lines += [f"msgstr[{i}] {_quoted(form)}" for i, form in enumerate(forms)]
        else:
            lines.append(f"msgstr {_quoted(forms[0])}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _header(language: str) -> str:
    fields = "".join(f'"{line}\\n"\n' for line in _header_lines(language))
    return f'# The words of secure_chat.\nmsgid ""\nmsgstr ""\n{fields}'.rstrip()


def _header_lines(language: str) -> list[str]:
    return [
        "Project-Id-Version: secure_chat",
        f"Language: {language}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=UTF-8",
        "Content-Transfer-Encoding: 8bit",
        f"Plural-Forms: {_PLURAL_FORMS[language]}",
    ]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


# ---------------------------------------------------------------- .mo files


def compile_mo(language: str, catalogue: Catalogue) -> bytes:
    """The binary catalogue (GNU gettext manual, "The Format of GNU MO Files")."""
    entries = {b"": "\n".join([*_header_lines(language), ""]).encode()}
    for key, forms in catalogue.items():
        if all(forms):
            source = f"{key.text}\0{key.plural}" if key.plural else key.text
            entries[source.encode()] = "\0".join(forms).encode()
    pairs = sorted(entries.items())
    count, tables = len(pairs), 28
    at = tables + 16 * count
    indexes: list[bytes] = []
    for column in (0, 1):
        for pair in pairs:
            indexes.append(struct.pack("<II", len(pair[column]), at))
            at += len(pair[column]) + 1
    header = struct.pack("<7I", _MAGIC, 0, count, tables, tables + 8 * count, 0, at)
    texts = b"".join(pair[column] + b"\0" for column in (0, 1) for pair in pairs)
    return header + b"".join(indexes) + texts


# ---------------------------------------------------------------- the command


def problems(language: str, keys: list[Key], catalogue: Catalogue) -> list[str]:
    """What is missing, and translations that name other facts than their keys."""
    found = []
    for key in keys:
        forms = catalogue.get(key, ())
        if not forms or not all(forms):
            found.append(f"{language}: not translated: {key.text!r}")
        allowed = facts(key.text) | facts(key.plural)
        if any(not facts(form) <= allowed for form in forms):
            found.append(f"{language}: another fact in the translation of {key.text!r}")
    return found


def facts(text: str) -> set[str]:
    """The names in braces."""
    import string

    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def main() -> int:
    """Update or check."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--check", action="store_true", help="change nothing, only say what differs"
    )
    check = parser.parse_args().check
    keys = find_keys()
    outputs: dict[Path, bytes] = {_TEMPLATE: write_po("", keys, {}).encode()}
    complaints: list[str] = []
    for folder in sorted(path for path in _LOCALE.iterdir() if path.is_dir()):
        po = folder / "LC_MESSAGES" / "secure_chat.po"
        known = read_po(po)
        complaints += problems(folder.name, keys, known)
        outputs[po] = write_po(folder.name, keys, known).encode()
        outputs[po.with_suffix(".mo")] = compile_mo(
            folder.name, {key: known[key] for key in keys if key in known}
        )
    for path, content in outputs.items():
        if check and (not path.exists() or path.read_bytes() != content):
            complaints.append(
                f"{path.relative_to(_ROOT)} is out of date: run scripts/catalogues.py"
            )
        elif not check:
            path.write_bytes(content)
    print("\n".join(complaints) or f"{len(keys)} texts, all translated.")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
