"""Checks records in the schemas of others, with what others wrote: `schemas.py FOLDER`.

FOLDER has a file `mapped.jsonl`, a line for each record: `{"ocsf": TEXT, "ecs": TEXT, "cef": TEXT, "event": OBJECT}`. The OCSF
events are validated by the package jsonschema against the JSON Schemas of their classes (patterns too, which
the tests of the crate leave out), CEF is read by the package pycef, and its keys and lengths are looked up in the
dictionary of the package cefevent. Says what is wrong and exits with 1.
"""

import json
import re
import sys
from pathlib import Path

import jsonschema
import pycef
from cefevent.extensions import extension_dictionary

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
# Of the dictionary of CEF, but not of the package's.
LATER = {"outcome": 63, "rawEvent": None, "indelibleUnmapped": None}
ESCAPES = {"n": "\n", "r": "\r"}


def validators():
    found = {}
    for path in (VECTORS / "ocsf-1.8.0").glob("*.json"):
        schema = json.loads(path.read_text())
        found[schema["properties"]["class_uid"]["const"]] = jsonschema.Draft202012Validator(schema)
    return found


def unescaped(value):
    return re.sub(r"\\(.)", lambda escape: ESCAPES.get(escape[1], escape[1]), value)


def read_cef(line):
    """What pycef reads; it puts the label of a custom field in the place of its key, and leaves escapes as they are."""
    read = pycef.parse(line)
    return read and {key: unescaped(value) for key, value in read.items()}


def cef_problems(line, event):
    read = read_cef(line)
    if read is None:
        yield "pycef does not read it"
        return
    labels = {}
    for key, value in re.findall(r"(?:^|\||\s)([A-Za-z0-9]+)=((?:\\.|[^\\=])*)(?=\s[A-Za-z0-9]+=|$)", line.split("|", 7)[7]):
        value = unescaped(value)
        known = extension_dictionary.get(key)
        if known is None and key not in LATER:
            yield f"{key} is not of CEF"
        length = known["length"] if known else LATER.get(key)
        if length and len(value) > length:
            yield f"{key} has {len(value)} characters, at most {length}"
        if key.endswith("Label"):
            labels[key[: -len("Label")]] = value
    actor = event.get("actor", {})
    wanted = {
        "DeviceVendor": "indelible",
        "DeviceEventClassID": event["action"],
        "act": event["action"],
        "outcome": event["outcome"],
        "reason": event.get("reason") or None,
        "suid": actor.get("id"),
        "suser": actor.get("email") or actor.get("name"),
        "requestClientApplication": event.get("context", {}).get("user_agent"),
        "seq": str(event["seq"]),
        "hash": event["hash"],
    }
    for key, value in wanted.items():
        if value is not None and read.get(key) != value:
            yield f"{key} is {read.get(key)!r}, not {value!r}"
    if "indelibleUnmapped" in read:
        rest = json.loads(read["indelibleUnmapped"])
        for key in ("changes", "metadata"):
            if rest.get(key) != event.get(key):
                yield f"{key} is {rest.get(key)!r}, not {event.get(key)!r}"


def main(folder):
    classes = validators()
    count, wrong = 0, 0
    for line in (Path(folder) / "mapped.jsonl").read_text().split("\n"):
        if not line:
            continue
        mapped = json.loads(line)
        ocsf = json.loads(mapped["ocsf"])
        problems = [f"OCSF: {error.json_path}: {error.message[:300]}" for error in classes[ocsf["class_uid"]].iter_errors(ocsf)]
        problems += [f"CEF: {problem}" for problem in cef_problems(mapped["cef"], mapped["event"])]
        count += 1
        wrong += bool(problems)
        for problem in problems:
            print(f"{mapped['event']['action']}: {problem}")
    print(f"{count} records, {wrong} wrong")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
