"""What the receivers here have in common: one POST after the other, unpacked, judged, kept; GET /_events gives what was kept."""

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Refused(Exception):
    """An answer other than the good one, and what is kept nevertheless."""

    def __init__(self, status, body, kept=()):
        super().__init__(status)
        self.status, self.body, self.kept = status, body, kept


def serve(judge, *said):
    """Serves until the input ends. judge(path, headers, raw, wire_size) gives a status, a body or None, and what is kept."""
    kept, lock = [], threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_):
            pass

        def answer(self, status, body):
            text = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self):
            with lock:
                self.answer(200, kept)

        def do_POST(self):
            wire = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                raw = gzip.decompress(wire) if headers.get("content-encoding") == "gzip" else wire
                status, body, new = judge(self.path, headers, raw, len(wire))
            except Refused as refused:
                status, body, new = refused.status, refused.body, refused.kept
            with lock:
                kept.extend(new)
            self.answer(status, body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, *said, flush=True)
    sys.stdin.read()
