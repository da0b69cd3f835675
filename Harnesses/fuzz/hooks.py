"""Hooks for schemathesis with facts about the API that its schemas cannot express."""

import itertools
import json
import os
import re

import schemathesis

_VALID = re.compile(r'[!#-~][!-~]{0,254}|"(?:[ !#-\[\]-~]|\\["\\]){1,255}"')
_PROCESS = f"{os.getpid():x}-"
_NUMBERS = itertools.count()
_CALLS = itertools.count()
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@schemathesis.hook
def before_call(context, case, kwargs):
    _replace_key(case)
    _name_existing_resources(case)


def _replace_key(case):
    """Replaces each valid idempotency key by an unused one, because a repeated key affects later requests.

    An invalid key stays unchanged and must be refused.
    """
    key = (case.headers or {}).get("Idempotency-Key")
    if not isinstance(key, str) or not _VALID.fullmatch(key):
        return
    fresh = f"{_PROCESS}{next(_NUMBERS):x}"
    quoted = key.startswith('"')
    # Keeps the length, so that the maximum length is tested too.
    filler = "k" * (len(key) - len(fresh) - (2 if quoted else 0))
    case.headers["Idempotency-Key"] = f'"{fresh}{filler}"' if quoted else fresh + filler


def _name_existing_resources(case):
    """Names the one blob and the one artifact that exist on the server under test."""
    if case.operation.path == "/runs" and isinstance(case.body, dict):
        _name_blob(case.body.get("stdin"))
        files = case.body.get("files")
        for content in files.values() if isinstance(files, dict) else []:
            _name_blob(content)
            _name_blob(content.get("tar") if isinstance(content, dict) else None)
        _fit_stack(case.body.get("limits"))
    if case.operation.path.endswith("/artifacts/{path}") and next(_CALLS) % 2 == 0:
        case.path_parameters = {"id": os.environ["SANDGLASS_RUN"], "path": "f"}


def _fit_stack(limits):
    """Lowers a valid stack to the memory of the run, which no schema can demand of it."""
    if not isinstance(limits, dict):
        return
    stack, memory = limits.get("stackBytes"), limits.get("memoryBytes", 512 << 20)
    numbers = all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in (stack, memory))
    if numbers and (1 << 17) <= memory < stack <= (64 << 30):
        limits["stackBytes"] = memory


def _name_blob(content):
    if isinstance(content, dict) and isinstance(content.get("blob"), str) and _DIGEST.fullmatch(content["blob"]):
        content["blob"] = os.environ["SANDGLASS_BLOB"]


@schemathesis.deserializer("application/x-ndjson")
def lines(context, response):
    """Returns the first line, which the schema describes."""
    return json.loads(response.content.split(b"\n", 1)[0] or b"null")
