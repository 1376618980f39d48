#!/usr/bin/env python3
"""intake.py MODE PORT FILE: a receiver on 127.0.0.1 that writes what it takes to FILE, as JSON Lines.

datadog     Datadog's POST /api/v2/logs. An item is checked by HTTPLogItem of Datadog's own client (datadog-api-client).
splunk      Splunk's HTTP Event Collector, with the codes of "Troubleshoot HTTP Event Collector" (Getting Data In), and as
            others have found Splunk 10.4 to behave: the events before a refused one are taken; a key that it does not know
            ends a request; a wrong index is numbered one too far.
splunk-ack  The same with indexer acknowledgement: ids count from 0 in each channel, are true after 300 ms, and are
            forgotten once that was said.
"""

import gzip
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE, PORT, TAKEN = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "a", buffering=1)
LOCK = threading.Lock()

HEC_TOKEN = "00000000-0000-0000-0000-000000000001"
HEC_KEYS = {"time", "host", "source", "sourcetype", "index", "event", "fields"}
HEC_INDEXES = {"main", "audit"}
ACK_SECONDS = 0.3
acks = {}  # (channel, id) -> when it is indexed; channel -> the next id


def datadog(path, headers, body):
    from datadog_api_client.v2.model.http_log_item import HTTPLogItem

    def refuse(status, why):
        return status, {"errors": [{"status": str(status), "title": why}]}, []

    if path != "/api/v2/logs":
        return refuse(404, "Not Found")
    if headers.get("dd-api-key") != "test-key":
        return refuse(403, "Forbidden")
    if headers.get("content-type") != "application/json":
        return refuse(415, "Unsupported Media Type")
    if len(body) > 5_000_000:
        return refuse(413, "Payload Too Large")
    try:
        items = json.loads(body)
        if len(items) > 1000:
            return refuse(413, "Payload Too Large")
        for item in items:
            HTTPLogItem(_check_type=True, **item)
            # The documentation has these two, which the model leaves open.
            assert len(json.dumps(item, ensure_ascii=False).encode()) <= 1_000_000, "it would be cut"
            assert -18 * 3600 < item["timestamp"] / 1000 - time.time() < 2 * 3600, "too old, or too far ahead"
    except Exception as error:  # whatever the model has against it
        return refuse(400, str(error))
    return 202, {}, items


def splunk(path, headers, body):
    def answer(status, code, text, taken=(), **more):
        return status, {"text": text, "code": code, **more}, list(taken)

    is_acknowledged, channel = MODE == "splunk-ack", headers.get("x-splunk-request-channel")
    authorization = headers.get("authorization", "")
    if not authorization:
        return answer(401, 2, "Token is required")
    if not authorization.startswith("Splunk "):
        return answer(401, 3, "Invalid authorization")
    if authorization != f"Splunk {HEC_TOKEN}":
        return answer(403, 4, "Invalid token")
    if path == "/services/collector/ack" and not is_acknowledged:
        return answer(400, 14, "ACK is disabled")
    if is_acknowledged and not channel:
        return answer(400, 10, "Data channel is missing")
    if channel and not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", channel):
        return answer(400, 11, "Invalid data channel")
    if path == "/services/collector/ack":
        return acknowledged(channel, json.loads(body)["acks"])
    if path != "/services/collector/event":
        return answer(404, 404, "The requested URL was not found on this server.")
    if len(body) > 1_000_000:
        return answer(413, 27, "Request entity too large")
    taken, text, at = [], body.decode(), 0
    if not text.strip():
        return answer(400, 5, "No data")
    while at < len(text):
        refuse = lambda code, why, number: answer(400, code, why, taken, **{"invalid-event-number": number})
        try:
            event, at = json.JSONDecoder().raw_decode(text, at)
        except ValueError:
            return refuse(6, "Invalid data format", len(taken))
        if set(event) - HEC_KEYS:
            break
        if "event" not in event:
            return refuse(12, "Event field is required", len(taken))
        if event["event"] == "":
            return refuse(13, "Event field cannot be blank", len(taken))
        if event.get("index", "main") not in HEC_INDEXES:
            return refuse(7, "Incorrect index", len(taken) + 1)
        if any(isinstance(value, (dict, list)) for value in event.get("fields", {}).values()):
            return refuse(15, "Error in handling indexed fields", len(taken))
        taken.append(event)
    if not is_acknowledged:
        return answer(200, 0, "Success", taken)
    with LOCK:
        number = acks.get(channel, 0)
        acks[channel], acks[channel, number] = number + 1, time.time() + ACK_SECONDS
    return answer(200, 0, "Success", taken, ackId=number)


def acknowledged(channel, numbers):
    with LOCK:
        said = {str(number): acks.get((channel, number), float("inf")) <= time.time() for number in numbers}
        for number in numbers:
            if said[str(number)]:
                del acks[channel, number]
    return 200, {"acks": said}, []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_POST(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        encoding = headers.get("content-encoding", "identity")
        if encoding == "gzip":
            body = gzip.decompress(body)
        if encoding not in ("identity", "gzip"):
            status, said, taken = 415, {"text": "Unsupported Media Type"}, []
        else:
            take = datadog if MODE == "datadog" else splunk
            status, said, taken = take(self.path, headers, body)
        with LOCK:
            TAKEN.write("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in taken))
        said = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
