#!/usr/bin/env python3
"""Google Cloud Logging: bodies parsed into the WriteLogEntriesRequest of google-cloud-logging, tokens verified by google-auth.

The limits of entries, and the answer when some of them fail, stand here after
https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/write. Prints `PORT KEY`, the key of a service account in
base64. An entry with `usr_poison` in it is refused, as one is that breaks a limit.
"""

import base64
import json
import re
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from google.cloud.logging_v2.types import WriteLogEntriesRequest
from google.protobuf import json_format
from receiver import Refused, serve

EMAIL, KEY_ID, AUDIENCE = "audit@my-project.iam.gserviceaccount.com", "key-1", "https://logging.googleapis.com/"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
INVALID_ARGUMENT = 3


def refuse(code, status, message, details=(), kept=()):
    raise Refused(code, {"error": {"code": code, "status": status, "message": message, "details": list(details)}}, kept)


def check_token(headers):
    kind, _, token = headers.get("authorization", "").partition(" ")
    try:
        claims = jwt.decode(token, certs={KEY_ID: PUBLIC}, audience=AUDIENCE)
    except ValueError as error:
        refuse(401, "UNAUTHENTICATED", str(error))
    if kind != "Bearer" or not claims["iss"] == claims["sub"] == EMAIL or claims["exp"] - claims["iat"] > 3600:
        refuse(401, "UNAUTHENTICATED", "not a token of this service account")


def problem_of(entry, request):
    if not re.fullmatch(r"projects/[^/]+/logs/[A-Za-z0-9._%-]+", entry.log_name or request.log_name):
        return "log_name"
    if not (entry.resource.type or request.resource.type):
        return "resource.type is missing"
    if entry.ByteSize() > 256 * 1024:
        return f"the entry has {entry.ByteSize()} bytes"
    if entry.timestamp.seconds > time.time() + 24 * 3600:
        return "the timestamp is too far ahead"
    if not entry.WhichOneof("payload"):
        return "no payload"
    return "poison" if "usr_poison" in str(entry) else None


def judge(path, headers, raw, wire_size):
    if path != "/v2/entries:write":
        refuse(404, "NOT_FOUND", path)
    check_token(headers)
    if max(len(raw), wire_size) > 10_000_000:
        refuse(400, "INVALID_ARGUMENT", "the request is too large")
    try:
        request = json_format.ParseDict(json.loads(raw), WriteLogEntriesRequest.pb()())
    except (ValueError, json_format.ParseError) as error:
        refuse(400, "INVALID_ARGUMENT", str(error)[:300])
    problems = {index: problem_of(entry, request) for index, entry in enumerate(request.entries)}
    wrong = {str(index): {"code": INVALID_ARGUMENT, "message": found} for index, found in problems.items() if found}
    kept = [
        {**json_format.MessageToDict(entry), "logName": request.log_name, "resource": request.resource.type}
        for index, entry in enumerate(request.entries)
        if not problems[index]
    ]
    if not wrong:
        return 200, {}, kept
    detail = {"@type": "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors", "logEntryErrors": wrong}
    kept = kept if request.partial_success else []
    refuse(400, "INVALID_ARGUMENT", f"{len(wrong)} entries failed", [detail] if request.partial_success else [], kept)


private = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
key = {
    "type": "service_account",
    "project_id": "my-project",
    "private_key_id": KEY_ID,
    "private_key": private.decode(),
    "client_email": EMAIL,
    "token_uri": "https://oauth2.googleapis.com/token",
}
serve(judge, base64.b64encode(json.dumps(key).encode()).decode())
