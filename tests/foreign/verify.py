#!/usr/bin/env python3
"""Checks a log directory, or a proof, against a vkey. It shares no code with the crate: SHA-256 and JSON of Python,
Ed25519 of the package `cryptography`, and what FORMAT.md says. Where the package `aics-tlog` is installed, it checks
every note and every proof a second time.

    verify.py LOG VKEY                  the log directory LOG
    verify.py --proof PROOF VKEY RECORD the record's line in the file RECORD is in the log that the tlog-proof PROOF names

Exit status: 0 sound, 1 not sound, 2 could not check. Not checked here: canonical JSON (the hashed bytes are those of the
line), the limits of sizes and depth, that `recorded_at` steps back only where it may, that no record of the log itself is
announced as erased, and an earlier checkpoint that is trusted.
"""

import base64
import hashlib
import json
import re
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

try:
    from aics_tlog import note as tlog_note, tree as tlog_tree
except ImportError:
    tlog_note = tlog_tree = None

HASH = r"[0-9a-f]{64}"
AFTER_PERSONAL = re.compile(rf',"prev":"({HASH})","recorded_at":"([^"]*)","seq":(0|[1-9][0-9]*)\}}')
ERASED = re.compile(rf'\{{"erased":"({HASH})","seq":(0|[1-9][0-9]*)\}}')


class Unsound(Exception):
    pass


def check(condition, problem):
    if not condition:
        raise Unsound(problem)


def sha256(data):
    return hashlib.sha256(data).digest()


def node(left, right):
    return sha256(b"\x01" + left + right)


def decode(text):
    data = base64.b64decode(text, validate=True)
    check(base64.b64encode(data).decode() == text, f"base64 that is not canonical: {text}")
    return data


class Tree:
    """The roots of the maximal perfect subtrees, the largest first (RFC 6962 section 2.1)."""

    def __init__(self, size=0, peaks=()):
        self.size, self.peaks = size, list(peaks)

    def push(self, leaf):
        self.peaks.append(leaf)
        size = self.size
        while size & 1:
            right = self.peaks.pop()
            self.peaks.append(node(self.peaks.pop(), right))
            size >>= 1
        self.size += 1

    def root(self):
        if not self.peaks:
            return sha256(b"")
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node(peak, root)
        return root


class Key:
    """A vkey of C2SP signed-note, Ed25519 alone."""

    def __init__(self, text):
        self.text = text
        self.name, key_id, key = text.split("+", 2)
        typed = decode(key)
        check(len(typed) == 33 and typed[0] == 1, f"not an Ed25519 vkey: {text}")
        self.id = sha256(self.name.encode() + b"\n" + typed)[:4]
        check(self.id.hex() == key_id, f"the vkey's id is {self.id.hex()}, not {key_id}")
        self.key = Ed25519PublicKey.from_public_bytes(typed[1:])


def open_checkpoint(note, keys):
    """Checks that each of `keys` signed the checkpoint, in that order, and gives its size and root."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    check(signatures.endswith("\n"), "a note ends in LF")
    lines = [line.split(" ") for line in signatures[:-1].split("\n")]
    check(all(len(line) == 3 and line[0] == "\u2014" for line in lines), "a signature line is none")
    check(len(lines) <= 16, "more than 16 signatures")
    of_keys = [(name, decode(data)) for _, name, data in lines]
    found = []
    for key in keys:
        by = [(at, data[4:]) for at, (name, data) in enumerate(of_keys) if (name, data[:4]) == (key.name, key.id)]
        check(by, f"not signed by {key.text}")
        for at, signature in by:
            found.append(at)
            try:
                key.key.verify(signature, text.encode())
            except InvalidSignature:
                raise Unsound(f"a signature that {key.text} did not make") from None
    check(found == sorted(found), "the old key signs first")
    if tlog_note:
        second = [tlog_note.parse_vkey(key.text) for key in keys]
        check(tlog_note.verify_note(tlog_note.parse_note(note), second), "aics-tlog does not open the note")
    origin, size, root = text[:-1].split("\n")
    check(origin == keys[0].name, f"the checkpoint is of the log {origin}")
    check(re.fullmatch("0|[1-9][0-9]*", size), f"no size: {size}")
    return int(size), decode(root)


def parse_record(line):
    """A record's hash, event and the rest, from the bytes of its line (FORMAT section 2)."""
    text, reader = line.decode(), json.JSONDecoder(object_pairs_hook=without_repeats)
    check(text.startswith('{"event":'), "no record")
    event, event_end = reader.raw_decode(text, len('{"event":'))
    check(text.startswith(',"personal":', event_end), "no personal after event")
    start = event_end + len(',"personal":')
    personal, end = reader.raw_decode(text, start)
    rest = AFTER_PERSONAL.fullmatch(text, end)
    check(rest, "no prev, recorded_at and seq at its end")
    if isinstance(personal, dict):
        check(re.fullmatch("[0-9a-f]{32}", personal.get("salt", "")), "personal has no salt")
        digest = sha256(text[start:end].encode()).hex()
        text = f'{text[:start]}"{digest}"{text[end:]}'
    else:
        check(re.fullmatch(HASH, personal), "personal is neither an object nor a hash")
    prev, recorded_at, seq = rest.groups()
    check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d\.\d{6}Z", recorded_at), f"recorded_at is {recorded_at}")
    hash = sha256(b"\x00" + text.encode())
    return hash, event, bytes.fromhex(prev), int(seq), isinstance(personal, str)


def without_repeats(pairs):
    check(len(dict(pairs)) == len(pairs), "a key that is repeated")
    return dict(pairs)


class Log:
    def __init__(self, folder, vkey):
        self.folder, self.trusted = Path(folder), Key(vkey)
        self.tree, self.last, self.key = Tree(), bytes(32), None
        self.first = None
        # What is gone, and what was announced to be: checked once all is read.
        self.gone = {"record": [], "personal_data": []}
        self.announced = {"record": [], "personal_data": []}
        self.purged_before = 0
        self.keys = []

    def verify(self):
        names = sorted(path.name for path in (self.folder / "segments").iterdir())
        plain = [name for name in names if re.fullmatch(r"\d{20}\.jsonl", name)]
        packed = [name for name in names if re.fullmatch(r"\d{20}\.jsonl\.zst", name) and name[:-4] not in plain]
        if not plain or packed:
            print("no log, or one with compressed segments", file=sys.stderr)
            sys.exit(2)
        self.kept_rotations()
        for name in plain:
            try:
                self.segment(name, name == plain[-1])
            except (Unsound, ValueError, KeyError, TypeError) as problem:
                raise Unsound(f"{name}: {problem}") from None
        check(self.first == 0 or self.purged_before >= self.first, f"records are missing before {self.first}")
        for what, gone in self.gone.items():
            covered = lambda seq: any(first <= seq <= last < by for first, last, by in self.announced[what])
            missing = [seq for seq in gone if not covered(seq)]
            check(not missing, f"erased without an announcement ({what}): {missing[:9]}")
        check(self.trusted.text in self.keys, "the vkey was never in force in what is retained")

    def kept_rotations(self):
        """The rotations of purged segments continue the list of keys to before the first record."""
        folder = self.folder / "keys"
        names = sorted(path.name for path in folder.iterdir() if len(path.name) == 20) if folder.is_dir() else []
        for name in names:
            line, _, proof = (folder / name).read_bytes().partition(b"\n")
            hash, event, _, seq, _ = parse_record(line)
            old, new = event["metadata"]["old"], event["metadata"]["new"]
            check(event["action"] == "audit_log.signing_key.rotated" and seq == int(name), f"keys/{name}: no rotation")
            check(not self.keys or self.keys[-1] == old, f"keys/{name}: a break in the list of keys")
            verify_proof(proof.decode(), [Key(old), Key(new)], hash, seq)
            self.keys = (self.keys or [old]) + [new]

    def segment(self, name, is_last):
        content = (self.folder / "segments" / name).read_bytes()
        if is_last and content.endswith(b"\x00"):
            content = content.rstrip(b"\x00")
        check(content.endswith(b"\n"), "it does not end with a line")
        header, *lines = content[:-1].split(b"\n")
        head = json.loads(header)["segment"]
        expected = {"first": head["first"], "format": 1, "origin": self.trusted.name, "peaks": head["peaks"]}
        printed = json.dumps({"segment": expected}, separators=(",", ":"), ensure_ascii=False)
        check(header.decode() == printed, "the header")
        peaks = [bytes.fromhex(peak) for peak in head["peaks"]]
        if self.first is None:
            self.first, self.tree = head["first"], Tree(head["first"], peaks)
            check(len(peaks) == bin(self.first).count("1"), "the number of peaks")
            if self.first > 0:
                self.last = None
        check((head["first"], peaks) == (self.tree.size, self.tree.peaks), "first and peaks are not of the records before")
        check(int(name[:20]) == head["first"], "its name is not that of its first record")
        check(lines or is_last, "a header alone")
        records, rotation = 0, None
        for line in lines:
            if line.startswith(b'{"checkpoint":'):
                self.checkpoint(line, records, rotation)
                records, rotation = 0, None
            else:
                check(rotation is None, "a rotation is the last of its commit")
                rotation = self.record(line)
                records += 1
        check(records == 0, "records that no checkpoint covers")

    def record(self, line):
        erased = ERASED.fullmatch(line.decode())
        if erased:
            hash, event, seq = bytes.fromhex(erased[1]), {"action": ""}, int(erased[2])
            self.gone["record"].append(seq)
        else:
            hash, event, prev, seq, is_personal_erased = parse_record(line)
            check(self.last in (None, prev), f"prev of {seq} is not the hash of the record before")
            if is_personal_erased:
                self.gone["personal_data"].append(seq)
        check(seq == self.tree.size, f"seq {seq} where {self.tree.size} is due")
        self.tree.push(hash)
        self.last = hash
        return self.own(event, seq)

    def own(self, event, seq):
        """What the log says about itself. Gives the old and the new key of a rotation."""
        action, metadata = event["action"], event.get("metadata", {})
        if seq == 0:
            check(action == "audit_log.created" and metadata["format"] == 1, "record 0 is audit_log.created")
            check(metadata["origin"] == self.trusted.name, "the log's origin")
            self.keys = [metadata["vkey"]]
        elif action == "audit_log.purged":
            if metadata["before"] <= seq:
                self.purged_before = max(self.purged_before, metadata["before"])
        elif action in ("audit_log.record.erased", "audit_log.personal_data.erased"):
            what = action.split(".")[1]
            self.announced[what].extend((first, last, seq) for first, last in metadata["ranges"])
        elif action == "audit_log.signing_key.rotated":
            return metadata["old"], metadata["new"]
        return None

    def checkpoint(self, line, records, rotation):
        note = json.loads(line)["checkpoint"]
        check(records > 0, "a checkpoint without records")
        if not self.keys:
            # After a purge without rotations: the trusted key, or the old one of the first rotation.
            self.keys = [self.key_of_beginning(rotation)]
        keys = [Key(self.keys[-1])]
        if rotation:
            old, new = rotation
            check(old == self.keys[-1] and new not in self.keys, "a rotation from a key that is not in force, or to a former one")
            keys.append(Key(new))
        size, root = open_checkpoint(note, keys)
        check((size, root) == (self.tree.size, self.tree.root()), f"the checkpoint of size {size} has another tree")
        if rotation:
            self.keys.append(rotation[1])

    def key_of_beginning(self, rotation):
        return rotation[0] if rotation else self.trusted.text


def verify_proof(text, keys, hash, index=None):
    """A C2SP tlog-proof, by RFC 9162 section 2.1.3.2."""
    head, _, note = text.partition("\n\n")
    lines = head.split("\n")
    check(lines.pop(0) == "c2sp.org/tlog-proof@v1", "no tlog-proof")
    if lines[0].startswith("extra "):
        lines.pop(0)
    check(re.fullmatch("index (0|[1-9][0-9]*)", lines[0]), "no index")
    said, path = int(lines[0][6:]), [decode(line) for line in lines[1:]]
    size, root = open_checkpoint(note, keys)
    check(said < size and index in (None, said), f"the proof is of record {said}")
    at, end, reached = said, size - 1, hash
    for sibling in path:
        check(end > 0, "the path is too long")
        if at & 1 or at == end:
            reached = node(sibling, reached)
            while not at & 1 and at:
                at, end = at >> 1, end >> 1
        else:
            reached = node(reached, sibling)
        at, end = at >> 1, end >> 1
    check(end == 0 and reached == root, "the path does not lead to the root")
    if tlog_tree:
        check(tlog_tree.verify_inclusion(hash, said, size, path, root), "aics-tlog does not take the path")


def main(arguments):
    if len(arguments) == 4 and arguments[0] == "--proof":
        proof, vkey, record = arguments[1:]
        hash, _, _, seq, _ = parse_record(Path(record).read_bytes().rstrip(b"\n"))
        verify_proof(Path(proof).read_bytes().decode(), [Key(vkey)], hash, seq)
        return f"sound: the proof of record {seq}"
    if len(arguments) == 2:
        log = Log(*arguments)
        log.verify()
        second = " (each note also by aics-tlog)" if tlog_note else ""
        return f"sound: records {log.first} to {log.tree.size}, {len(log.keys)} keys{second}"
    print(__doc__, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except (Unsound, ValueError, KeyError, TypeError) as problem:
        print(f"NOT SOUND: {problem}")
        sys.exit(1)
