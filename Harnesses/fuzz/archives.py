"""Writes small tar archives of every format and kind of entry: the first inputs of Harnesses/fuzz/archive."""

import io
import pathlib
import sys
import tarfile


def archive(form, entries, headers=None):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form, pax_headers=headers or {}) as tar:
        for name, kind, value in entries:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            content = value if kind == tarfile.REGTYPE else b""
            entry.linkname = "" if kind == tarfile.REGTYPE else value
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def main(directory):
    long = "d" * 90 + "/" + "e" * 90 + "/" + "f" * 90
    entries = [
        ("./", tarfile.DIRTYPE, ""), ("a", tarfile.REGTYPE, b"text\n"), ("d/e", tarfile.DIRTYPE, ""),
        ("d/link", tarfile.SYMTYPE, "../a"), ("hard", tarfile.LNKTYPE, "a"),
    ]
    refused = [
        ("../a", tarfile.REGTYPE, b"x"), ("/a", tarfile.REGTYPE, b"x"), ("l", tarfile.SYMTYPE, "/etc"),
        ("l", tarfile.SYMTYPE, "../.."), ("fifo", tarfile.FIFOTYPE, ""), ("dev", tarfile.CHRTYPE, ""),
        ("h", tarfile.LNKTYPE, "../../etc/passwd"),
    ]
    through = [("l", tarfile.SYMTYPE, "d"), ("l/x", tarfile.REGTYPE, b"x")]
    number = 0
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        lists = [entries, through] + [[entry] for entry in refused]
        if form != tarfile.USTAR_FORMAT:
            lists.append([(long, tarfile.REGTYPE, b"x"), ("l", tarfile.SYMTYPE, long), ("\u00e4", tarfile.DIRTYPE, "")])
        for entries_of_one in lists:
            for choice in range(4):
                bytes_of_one = bytes([choice]) + archive(form, entries_of_one).rstrip(b"\0") + b"\0" * 1536
                (pathlib.Path(directory) / str(number)).write_bytes(bytes_of_one)
                number += 1
    (pathlib.Path(directory) / "global").write_bytes(
        b"\1" + archive(tarfile.PAX_FORMAT, entries, {"comment": "a commit"})
    )


main(sys.argv[1])
