"""What schemathesis cannot know of the API."""

import itertools
import os
import re

import schemathesis

_VALID = re.compile(r'[!#-~][!-~]{0,254}|"(?:[ !#-\[\]-~]|\\["\\]){1,255}"')
_PROCESS = f"{os.getpid():x}-"
_NUMBERS = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes each valid key one that was not there before: its meaning reaches over requests, and no schema says so.

    One that is not valid stays as it is, and has to be refused.
    """
    key = (case.headers or {}).get("Idempotency-Key")
    if not isinstance(key, str) or not _VALID.fullmatch(key):
        return
    fresh = f"{_PROCESS}{next(_NUMBERS):x}"
    quoted = key.startswith('"')
    # As long as it was, so that the longest one is tried too.
    filler = "k" * (len(key) - len(fresh) - (2 if quoted else 0))
    case.headers["Idempotency-Key"] = f'"{fresh}{filler}"' if quoted else fresh + filler
