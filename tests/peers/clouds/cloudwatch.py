#!/usr/bin/env python3
"""CloudWatch Logs: moto, with signatures and permissions really checked, behind botocore's own model of the service.

Prints one line, `PORT KEY SECRET`, and serves until its input ends. What moto leaves out stands here, after
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html: the limits of a batch, and the
places in rejectedLogEventsInfo. RETENTION_DAYS is the retention of every group. GET /_events gives the events of all streams.
"""

import io
import json
import os
import sys
import threading
import time

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"  # the three calls that make the user

import boto3
import botocore.session
from botocore.validate import ParamValidator
from moto.logs.models import logs_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

DAY = 24 * 3600 * 1000
RETENTION = int(os.environ.get("RETENTION_DAYS", "3650")) * DAY
MODEL = botocore.session.get_session().get_service_model("logs")


def unknown(shape, value, place):
    """The members that the model does not know."""
    if shape.type_name == "structure":
        for key, inner in value.items():
            if key in shape.members:
                yield from unknown(shape.members[key], inner, f"{place}.{key}")
            else:
                yield f"unknown member {place}.{key}"
    elif shape.type_name == "list":
        for index, inner in enumerate(value):
            yield from unknown(shape.member, inner, f"{place}[{index}]")


def problems(operation, body):
    shape = MODEL.operation_model(operation).input_shape
    report = ParamValidator().validate(body, shape)
    if report.has_errors():
        yield report.generate_report()
    yield from unknown(shape, body, operation)


def split_by_time(times):
    """The first and the end of those that are kept, and what the answer says of the others."""
    now, info = time.time() * 1000, {}
    old = sum(at < now - 14 * DAY for at in times)
    expired = sum(at < now - RETENTION for at in times)
    new = next((index for index, at in enumerate(times) if at > now + 2 * 3600 * 1000), len(times))
    if old:
        info["tooOldLogEventEndIndex"] = old
    if expired > old:
        info["expiredLogEventEndIndex"] = expired
    if new < len(times):
        info["tooNewLogEventStartIndex"] = new
    return max(old, expired), new, info


def batch_problems(events):
    times = [event["timestamp"] for event in events]
    first, end, _ = split_by_time(times)
    kept = times[first:end]
    sizes = [len(event["message"].encode()) + 26 for event in events]
    if len(events) > 10_000:
        yield "more than 10,000 events"
    if times != sorted(times):
        yield "not in chronological order"
    if sum(sizes) > 1_048_576:
        yield "more than 1,048,576 bytes"
    if kept and kept[-1] - kept[0] > DAY:
        yield "more than 24 hours"


class Service:
    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/_events":
            return answer(start_response, "200 OK", events())
        operation = environ.get("HTTP_X_AMZ_TARGET", "").removeprefix("Logs_20140328.")
        if not environ.get("HTTP_X_AMZ_TARGET", "").startswith("Logs_"):
            return self.moto(environ, start_response)
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(raw)
        body = json.loads(raw)
        found = list(problems(operation, body))
        is_put = operation == "PutLogEvents"
        if is_put and not found:
            found = list(batch_problems(body["logEvents"]))
        if found:
            wrong = {"__type": "InvalidParameterException", "message": "; ".join(found)}
            return answer(start_response, "400 Bad Request", wrong)
        status = []
        said = b"".join(self.moto(environ, lambda line, headers, *_: status.append((line, headers))))
        line, headers = status[0]
        if is_put and line.startswith("200"):
            _, _, info = split_by_time([event["timestamp"] for event in body["logEvents"]])
            return answer(start_response, line, {"rejectedLogEventsInfo": info} if info else {})
        start_response(line, headers)
        return [said]


def answer(start_response, status, body):
    text = json.dumps(body).encode()
    start_response(status, [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(text)))])
    return [text]


def events():
    found = []
    for account in logs_backends.values():
        for region, backend in account.items():
            for group in backend.groups.values():
                for stream in group.streams.values():
                    place = {"region": region, "group": group.name, "stream": stream.log_stream_name}
                    kept = [event for event in stream.events if event.ingestion_time - event.timestamp < RETENTION]
                    found += [{**place, "timestamp": event.timestamp, "message": event.message} for event in kept]
    return found


def make_user(url):
    iam = boto3.client(
        "iam", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    iam.create_user(UserName="sink")
    actions = ["logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="sink", PolicyName="deliver", PolicyDocument=policy)
    key = iam.create_access_key(UserName="sink")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


server = make_server("127.0.0.1", 0, Service(), threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.port, *make_user(f"http://127.0.0.1:{server.port}"), flush=True)
sys.stdin.read()
