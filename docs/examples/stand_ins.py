#!/usr/bin/env python3
"""Local stand-ins for YooKassa and Telegram, for trying the gateway out.

    python3 docs/examples/stand_ins.py --port 8090

Python's standard library only. It keeps everything in memory, listens on
loopback, and knows nothing of the ledger or the gateway: point the gateway's
YOOKASSA_API_URL and TELEGRAM_API_URL at it.

YooKassa, as far as the gateway asks it (with or without the prefix /v3):
    GET  /v3/payments/{id}           a registered payment, or YooKassa's error
    POST /control/payments           registers one: the body is the payment object

Telegram (method names in any case, as at Telegram):
    POST /bot<token>/sendMessage, answerPreCheckoutQuery, answerCallbackQuery, ...
    GET  /control/messages           everything that was sent: {"messages": [...]}

Each message is printed too. Prints `stand-ins ready http=127.0.0.1:PORT` when
it listens.
"""

import argparse
import base64
import json
import signal
import sys
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# A payment object or a message is a few kilobytes.
BODY_BYTES_MAX = 1 << 20


class State:
    """What both stand-ins remember."""

    def __init__(self, credentials):
        self.credentials = credentials
        self.lock = threading.Lock()
        self.payments = {}
        self.messages = []

    def add_message(self, method, fields):
        with self.lock:
            entry = {"message_id": len(self.messages) + 1, "method": method, **fields}
            self.messages.append(entry)
        if method == "sendMessage":
            print(f"to {fields['chat_id']}: {fields['text']}", flush=True)
        else:
            print(f"{method}: {json.dumps(fields, ensure_ascii=False)}", flush=True)
        return entry


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    state = None

    def do_GET(self):
        self.route("GET", b"")

    def do_POST(self):
        size = int(self.headers.get("Content-Length") or 0)
        if size > BODY_BYTES_MAX:
            self.close_connection = True
            self.answer(413, {"error": f"the body is larger than {BODY_BYTES_MAX} bytes"})
            return
        self.route("POST", self.rfile.read(size))

    def route(self, verb, body):
        url = urllib.parse.urlsplit(self.path)
        parts = [urllib.parse.unquote(part) for part in url.path.split("/") if part]
        if parts[:1] == ["v3"]:
            parts = parts[1:]
        if parts == ["control", "payments"] and verb == "POST":
            self.register_payment(body)
        elif parts == ["control", "messages"] and verb == "GET":
            with self.state.lock:
                messages = list(self.state.messages)
            self.answer(200, {"messages": messages})
        elif len(parts) == 2 and parts[0] == "payments" and verb == "GET":
            self.find_payment(parts[1])
        elif len(parts) == 2 and parts[0].startswith("bot"):
            self.telegram(parts[1], self.telegram_fields(url.query, body))
        else:
            self.answer(404, {"error": f"nothing answers {verb} {url.path} here"})

    # YooKassa

    def register_payment(self, body):
        payment = parsed(body)
        if not isinstance(payment, dict) or not isinstance(payment.get("id"), str):
            self.answer(400, {"error": "the body must be a payment object with an id"})
            return
        with self.state.lock:
            self.state.payments[payment["id"]] = payment
        self.answer(200, payment)

    def find_payment(self, payment_id):
        if not self.authorized():
            self.yookassa_error(401, "invalid_credentials", "Authentication by given credentials failed")
            return
        with self.state.lock:
            payment = self.state.payments.get(payment_id)
        if payment is None:
            self.yookassa_error(404, "not_found", "Payment doesn't exist or access denied", "payment_id")
            return
        self.answer(200, payment)

    def authorized(self):
        """Any Basic credentials will do, unless some were given on the command line."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(value, validate=True).decode()
        except ValueError:
            return False
        return self.state.credentials in (None, given) and ":" in given

    def yookassa_error(self, status, code, description, parameter=None):
        error = {"type": "error", "id": str(uuid.uuid4()), "code": code, "description": description}
        if parameter is not None:
            error["parameter"] = parameter
        self.answer(status, error)

    # Telegram

    def telegram_fields(self, query, body):
        fields = dict(urllib.parse.parse_qsl(query))
        if self.headers.get_content_type() == "application/x-www-form-urlencoded":
            fields.update(urllib.parse.parse_qsl(body.decode(errors="replace")))
        elif body:
            value = parsed(body)
            if isinstance(value, dict):
                fields.update(value)
        return fields

    def telegram(self, method, fields):
        name = method.lower()
        if name == "sendmessage":
            if not fields.get("text") or "chat_id" not in fields:
                self.telegram_error(400, "Bad Request: message text is empty")
                return
            entry = self.state.add_message("sendMessage", fields)
            self.telegram_result(
                {
                    "message_id": entry["message_id"],
                    "from": BOT,
                    "chat": {"id": int(fields["chat_id"]), "type": "private"},
                    "date": int(time.time()),
                    "text": fields["text"],
                }
            )
        elif name == "getme":
            self.telegram_result(BOT)
        elif name in ("answerprecheckoutquery", "answercallbackquery", "setwebhook", "deletewebhook"):
            if name == "answerprecheckoutquery":
                self.state.add_message("answerPreCheckoutQuery", fields)
            self.telegram_result(True)
        else:
            self.telegram_error(404, "Not Found")

    def telegram_result(self, result):
        self.answer(200, {"ok": True, "result": result})

    def telegram_error(self, code, description):
        self.answer(code, {"ok": False, "error_code": code, "description": description})

    # HTTP

    def answer(self, status, value):
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Requests are not logged: the path of Telegram's holds the token."""


BOT = {"id": 7000000002, "is_bot": True, "first_name": "Shop", "username": "example_bot"}


def parsed(body):
    """The JSON value of `body`, or None."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def main():
    parser = argparse.ArgumentParser(description="Local stand-ins for YooKassa and Telegram.")
    parser.add_argument("--port", type=int, default=8090, help="on 127.0.0.1; 0 for a free one (default: 8090)")
    parser.add_argument(
        "--credentials",
        metavar="SHOP_ID:SECRET_KEY",
        help="the only Basic credentials to accept (default: any)",
    )
    arguments = parser.parse_args()

    Handler.state = State(arguments.credentials)
    try:
        server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler)
    except OSError as error:
        sys.exit(f"error: cannot listen on port {arguments.port} ({error}): choose another with --port")
    server.daemon_threads = True

    def stop(_signal, _frame):
        # Not from this thread: shutdown() waits for the loop that it runs in.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"stand-ins ready http=127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
