#!/usr/bin/env python3
"""Holds the schemas to what makes them safe to read: no message contains itself, however far down.

protobuf-c reads nested messages on the stack, so a message that may contain itself could be nested until the stack is
gone. WireWalk bounds the depth beside this; here the bound is never reached by an honest peer either.

Usage: Scripts/schemas.py [FOLDER ...]    without folders: every .proto of the tree
"""

import pathlib
import re
import sys

# WireWalk.depthMax: messages inside messages, the outermost counted.
DEPTH_MAX = 16
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_][\w.]*|[{}=;<>,]|\d+|\S')
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
SCALARS = set(
    "double float int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 bool string bytes".split()
)


def fields_by_message(text: str) -> dict[str, list[str]]:
    """The type names that each message's fields have, by the message's full name."""
    tokens = TOKEN.findall(COMMENT.sub(" ", text))
    package = ""
    scope: list[tuple[str, str]] = []
    messages: dict[str, list[str]] = {}
    statement: list[str] = []
    for token in tokens:
        if token == "{":
            kind = statement[0] if statement else ""
            scope.append((kind, statement[1] if len(statement) > 1 else ""))
            if kind == "message":
                messages[full_name(package, scope)] = []
            statement = []
        elif token == "}":
            scope.pop()
            statement = []
        elif token == ";":
            if statement[:1] == ["package"]:
                package = statement[1]
            elif any(kind == "message" for kind, _ in scope) and scope[-1][0] in ("message", "oneof"):
                messages[full_name(package, scope)] += types_of(statement)
            statement = []
        else:
            statement.append(token)
    return messages


def full_name(package: str, scope: list[tuple[str, str]]) -> str:
    names = [name for kind, name in scope if kind == "message"]
    return ".".join(([package] if package else []) + names)


def types_of(statement: list[str]) -> list[str]:
    if not statement or statement[0] in ("reserved", "option", "extensions"):
        return []
    if statement[0] == "map":
        return [statement[4]]
    while statement[0] in ("repeated", "optional", "required"):
        statement = statement[1:]
    return statement[:1]


def resolve(name: str, inside: str, messages: dict[str, list[str]]) -> str | None:
    """The message that `name` means inside the message `inside`; nothing for scalars and enums."""
    if name in SCALARS:
        return None
    scopes = inside.split(".")
    for count in range(len(scopes), -1, -1):
        candidate = ".".join([*scopes[:count], name.lstrip(".")])
        if candidate in messages:
            return candidate
    return None


def depth(message: str, messages: dict[str, list[str]], above: list[str], wrong: list[str]) -> int:
    if message in above:
        wrong.append(" > ".join([*above[above.index(message):], message]) + ": a message that contains itself")
        return 0
    inner = {resolve(name, message, messages) for name in messages[message]} - {None}
    return 1 + max((depth(name, messages, [*above, message], wrong) for name in sorted(inner)), default=0)


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    folders = [pathlib.Path(name) for name in sys.argv[1:]] or [root / "Protos", root / "Tests"]
    files = sorted(file for folder in folders for file in folder.rglob("*.proto"))
    messages: dict[str, list[str]] = {}
    for file in files:
        messages |= fields_by_message(file.read_text(encoding="utf-8"))
    if not messages:
        print("no message in " + ", ".join(str(folder) for folder in folders))
        return 1
    wrong: list[str] = []
    for message in sorted(messages):
        deep = depth(message, messages, [], wrong)
        if deep > DEPTH_MAX:
            wrong.append(f"{message}: {deep} messages inside each other, more than {DEPTH_MAX}")
    print("\n".join(sorted(set(wrong))), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
