#!/usr/bin/env python3
"""Holds the imports between rooms to the plan: every import of a room's sources must be an arrow below.

The table is the plan, not a copy of Package.swift: a new arrow is a decision, made here and in docs/rooms.md.
"""

import pathlib
import re
import sys

# What any room may use: the system and the language.
SYSTEM = {"Foundation", "Glibc", "Darwin", "Synchronization", "Dispatch", "FoundationEssentials"}
NIO = {"NIOCore", "NIOPosix", "NIOConcurrencyHelpers", "NIOEmbedded"}

ARROWS = {
    "Base": {"COpenSSL"},
    "Wire": {"Base", "CNGHTTP2", "COpenSSL", "CMessages", "CProtobufC", "CZlib"} | NIO,
    "Snapshots": {"Base"},
    "Catalogue": {"Base"},
    "Features": {"Base"},
    "Embedding": {"Base", "Catalogue", "CKernels"},
    "Retrieval": {"Base", "CKernels"},
    "Ranking": {"Base", "CKernels", "CMessages", "CProtobufC"},
    "Serving": {"Base", "Snapshots", "Catalogue", "Features", "Retrieval", "Ranking"},
    "Control": {"Base", "Snapshots", "Catalogue", "Embedding", "Features", "Retrieval", "Ranking", "GRDB", "Yams"},
    "MarqueeClient": {"Base", "Wire"},
    "marquee": {
        "Base", "Wire", "Snapshots", "Catalogue", "Features", "Embedding", "Retrieval", "Ranking", "Serving",
        "Control", "MarqueeClient", "ArgumentParser", "Histogram", "Yams",
    } | NIO,
}
IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?"
    r"import\s+(?:(?:struct|class|enum|protocol|func|let|var|typealias)\s+)?(\w+)",
    re.MULTILINE,
)


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    wrong = []
    for room in sorted(path for path in (root / "Sources").iterdir() if path.is_dir()):
        files = sorted(room.rglob("*.swift"))
        if files and room.name not in ARROWS:
            wrong.append(f"{room.relative_to(root)}: a room that is not in the plan (Scripts/rooms.py)")
            continue
        for file in files:
            for name in IMPORT.findall(file.read_text(encoding="utf-8")):
                if name not in SYSTEM | ARROWS[room.name] | {room.name}:
                    wrong.append(f"{file.relative_to(root)}: {room.name} may not import {name}")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
