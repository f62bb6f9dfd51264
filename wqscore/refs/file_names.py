"""Tell names that every operating system takes for a file below a folder from those that some read otherwise."""

from __future__ import annotations

import re

#: Windows keeps these for devices, whatever suffix follows.
_DEVICE = re.compile(
    r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\..*)?", re.IGNORECASE | re.DOTALL
)
#: A separator, a drive or a stream of NTFS, control characters, and halves of characters that no file system stores.
_READ_OTHERWISE = re.compile(r"[\\:\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: The limit of common file systems for a name, and the lowest one for a path, macOS's.
_MAX_PART_BYTES, _MAX_PATH_BYTES = 255, 1024


def is_plain(path: str) -> bool:
    """Whether every operating system takes a path, `/` between its parts, for the same file below a folder.

    Windows drops dots and spaces at the end of a name.
    (https://learn.microsoft.com/windows/win32/fileio/naming-a-file)

    Example:
        >>> is_plain("unet/model-00001.safetensors"), is_plain("../x"), is_plain("nul.bin"), is_plain("x:y")
        (True, False, False, False)
    """
    if _READ_OTHERWISE.search(path) or len(path.encode()) > _MAX_PATH_BYTES:
        return False
    return all(_is_plain_part(part) for part in path.split("/"))


def _is_plain_part(part: str) -> bool:
    is_trimmed = part == part.rstrip(". ")
    return bool(part) and is_trimmed and len(part.encode()) <= _MAX_PART_BYTES and not _DEVICE.fullmatch(part)
