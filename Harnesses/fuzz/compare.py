#!/usr/bin/env python3
"""Compares the results of the service's JSON parser with those of Python's, for each file of a directory.

    compare.py PROGRAM DIRECTORY

`Harnesses/fuzz/json` builds PROGRAM. With the hooks below, Python's parser is as strict as RFC 8259.
"""

import json
import os
import subprocess
import sys

MAXIMUM_DEPTH = 64


def unique(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a duplicate member")
    return members


def refuse(constant):
    raise ValueError(constant)


def depth(text):
    """Returns the maximum number of arrays and objects that are open at once."""
    level = maximum = 0
    inside = escaped = False
    for character in text:
        if inside:
            inside, escaped = escaped or character != '"', not escaped and character == "\\"
        elif character == '"':
            inside = True
        elif character in "[{":
            level += 1
            maximum = max(maximum, level)
        elif character in "]}":
            level -= 1
    return maximum


def parse(bytes):
    """Returns the value in a tuple, or None if the text is invalid. Numbers are compared by their literals."""
    try:
        text = bytes.decode("utf-8")
        if depth(text) > MAXIMUM_DEPTH:
            return None
        value = json.loads(
            text, object_pairs_hook=unique, parse_constant=refuse, parse_float=str, parse_int=lambda n: f"int {n}"
        )
        # Fails for an unpaired surrogate.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
        return (value,)
    except (ValueError, RecursionError):
        return None


def main():
    program, directory = sys.argv[1:]
    names = sorted(os.path.join(directory, name) for name in os.listdir(directory))
    differences = 0
    for start in range(0, len(names), 500):
        part = names[start : start + 500]
        output = subprocess.run(
            [program, "-detect_leaks=0", *part],
            env={**os.environ, "SANDGLASS_FUZZ_PRINT": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        lines = output.stdout.split(b"\n")[:-1]
        if len(lines) != len(part):
            sys.exit(f"the program printed {len(lines)} lines for {len(part)} files")
        for name, line in zip(part, lines):
            with open(name, "rb") as file:
                expected = parse(file.read())
            if expected != (None if line == b"-" else parse(line)):
                differences += 1
                print(f"{name}: Python parsed {str(expected)[:200]}, the service {line[:200]}")
    print(f"{len(names)} files, {differences} differences from Python's parser")
    sys.exit(1 if differences else 0)


main()
