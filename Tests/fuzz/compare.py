#!/usr/bin/env python3
"""Compares what the service's parser makes of files with what Python's makes of them.

    compare.py PROGRAM FOLDER

PROGRAM is what `Tests/fuzz/json` builds. Python's parser is as strict as RFC 8259 once it is told what to refuse.
"""

import json
import os
import subprocess
import sys

MOST_LEVELS = 64


def unique(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a duplicate member")
    return members


def refuse(constant):
    raise ValueError(constant)


def depth(text):
    """How many arrays and objects are open at once at most."""
    level = most = 0
    inside = escaped = False
    for character in text:
        if inside:
            inside, escaped = escaped or character != '"', not escaped and character == "\\"
        elif character == '"':
            inside = True
        elif character in "[{":
            level += 1
            most = max(most, level)
        elif character in "]}":
            level -= 1
    return most


def parse(bytes):
    """The value, or None: whole numbers as long as they are, others as their literal."""
    try:
        text = bytes.decode("utf-8")
        if depth(text) > MOST_LEVELS:
            return None
        value = json.loads(
            text, object_pairs_hook=unique, parse_constant=refuse, parse_float=str, parse_int=lambda n: f"int {n}"
        )
        # Half of a surrogate pair.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
        return (value,)
    except (ValueError, RecursionError):
        return None


def main():
    program, folder = sys.argv[1:]
    names = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    differences = 0
    for start in range(0, len(names), 500):
        part = names[start : start + 500]
        told = subprocess.run(
            [program, "-detect_leaks=0", *part],
            env={**os.environ, "SANDGLASS_FUZZ_TELL": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        lines = told.stdout.split(b"\n")[:-1]
        if len(lines) != len(part):
            sys.exit(f"{len(lines)} answers to {len(part)} files")
        for name, line in zip(part, lines):
            with open(name, "rb") as file:
                expected = parse(file.read())
            if expected != (None if line == b"-" else parse(line)):
                differences += 1
                print(f"{name}: Python says {str(expected)[:200]}, the service {line[:200]}")
    print(f"{len(names)} files, {differences} differences from Python's parser")
    sys.exit(1 if differences else 0)


main()
