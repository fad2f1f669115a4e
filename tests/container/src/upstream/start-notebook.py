#!/usr/bin/python3
"""Stands in for the notebook server: its address, its token, its answers.

It does not prove that anything can be computed in a notebook: there is none.
"""
import http.server
import json
import os
import signal
import sys
import urllib.parse


def token():
    given = os.environ.get("JUPYTER_TOKEN")
    if given:
        return given
    with open(os.environ["JUPYTER_TOKEN_FILE"]) as file:
        return file.read().strip()


TOKEN = token()


class Answer(http.server.BaseHTTPRequestHandler):
    def allowed(self, query):
        header = self.headers.get("Authorization", "")
        return TOKEN in (header.removeprefix("token ").strip(), query.get("token", [""])[0])

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(parts.query)
        if parts.path.rstrip("/") == "/api":
            self.say(200, {"version": "2.16.0"})
        elif not self.allowed(query):
            self.say(403, {"message": "Forbidden", "reason": None})
        elif parts.path == "/api/status":
            self.say(200, {"connections": 0, "kernels": 0})
        else:
            self.say(404, {"message": "Not Found", "reason": None})

    def say(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


# The first process of a container hears no signal by itself.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("0.0.0.0", 8888), Answer).serve_forever()
