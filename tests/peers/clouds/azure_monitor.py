#!/usr/bin/env python3
"""Azure Monitor Logs Ingestion: bodies judged by jsonschema against Microsoft's own description of the service
(azure_ingestion.json, of Azure/azure-rest-api-specs, without its texts).

What happens behind it stands here, after https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits: a
column of more than 64 KB is cut, a column that the rule does not have is dropped, a time that is out of the window is
replaced, and all that with a 204. Prints `PORT`.
"""

import json
import pathlib
import re
from datetime import datetime, timedelta, timezone

import jsonschema
from receiver import Refused, serve

SPECIFICATION = json.loads((pathlib.Path(__file__).parent / "azure_ingestion.json").read_text())
PARAMETERS = next(iter(SPECIFICATION["paths"].values()))["post"]["parameters"]
SCHEMA = next(found["schema"] for found in PARAMETERS if found["in"] == "body")
TEXTS = ["Action", "Severity", "MessageId", "Hash", "Message"] + [f"Message{part}" for part in range(2, 10)]
TIMES = ["TimeGenerated", "OccurredAt", "RecordedAt"]
MIB = 1024 * 1024


def refuse(status, code, message=""):
    raise Refused(status, {"error": {"code": code, "message": message}})


def stored(row):
    """The row as the table has it."""
    kept = {name: row[name].encode("utf-16-le")[:65536].decode("utf-16-le", "ignore") for name in TEXTS if name in row}
    kept |= {name: datetime.fromisoformat(row[name]).isoformat() for name in TIMES}
    if "Seq" in row:
        kept["Seq"] = int(row["Seq"])
    now, time = datetime.now(timezone.utc), datetime.fromisoformat(row["TimeGenerated"])
    is_taken = now - timedelta(days=2) <= time <= now + timedelta(days=1)
    return {**kept, "IsTimeReplaced": not is_taken}


def judge(path, headers, raw, wire_size):
    path, _, query = path.partition("?")
    if headers.get("authorization") != "Bearer good":
        refuse(401, "Unauthorized")
    if path != "/dataCollectionRules/dcr-00000000000000000000000000000001/streams/Custom-Audit_CL":
        refuse(404, "NotFound", "the rule or the stream is not there")
    if not re.fullmatch(r"api-version=2023-01-01", query):
        refuse(400, "InvalidApiVersion")
    if headers.get("content-type") != "application/json":
        refuse(415, "UnsupportedMediaType")
    if max(wire_size, len(raw)) > MIB:
        refuse(413, "ContentLengthLimitExceeded", "Maximum allowed content length: 1048576 bytes")
    try:
        rows = json.loads(raw)
        jsonschema.validate(rows, SCHEMA)
    except ValueError as error:
        refuse(400, "InvalidPayload", str(error)[:200])
    except jsonschema.ValidationError as error:
        refuse(400, "InvalidPayload", error.message[:200])
    return 204, None, [stored(row) for row in rows]


serve(judge)
