#!/usr/bin/env python3
"""Checks a published log with the package `aics-tlog`: the checkpoint, every tile, every bundle of entries.

    tiles.py FOLDER VKEY        exit status: 0 sound, 1 not sound
"""

import base64
import sys

from aics_tlog import DirectoryTileStore, audit_tiles, note

folder, vkey = sys.argv[1:]
with open(f"{folder}/checkpoint") as file:
    checkpoint = file.read()
if not note.verify_note(note.parse_note(checkpoint), [note.parse_vkey(vkey)]):
    sys.exit("the checkpoint is not signed by that key")
origin, size, root = checkpoint.split("\n\n")[0].split("\n")
try:
    print(audit_tiles(DirectoryTileStore(folder), int(size), base64.b64decode(root)))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
