"""A mail server for tests: smtp_server.py TAKEN KEY [PORT MODE CERTIFICATE]...

Takes mail on each port of 127.0.0.1 from the user cowbell, and appends it to the file TAKEN, one JSON object a line.
MODE is tls (from the first byte), starttls, or plain (offers no TLS at all).
"""
import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

taken, key = sys.argv[1], sys.argv[2]
lock = threading.Lock()


def note(**what):
    with lock, open(taken, "a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")


class Handler:
    def __init__(self, port):
        self.port = port

    async def handle_DATA(self, server, session, envelope):
        content = envelope.content.decode("utf-8", "replace")
        note(port=self.port, user=session.auth_data, to=envelope.rcpt_tos, content=content)
        return "250 taken"


def authenticator(port):
    def check(server, session, envelope, mechanism, data):
        user, password = data.login.decode(), data.password.decode()
        note(port=port, login=user)
        right = user == "cowbell" and password == "the right word"
        return AuthResult(success=right, handled=False, auth_data=user)

    return check


for i in range(3, len(sys.argv), 3):
    port, mode, certificate = int(sys.argv[i]), sys.argv[i + 1], sys.argv[i + 2]
    context = None
    if mode != "plain":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    Controller(
        Handler(port),
        hostname="127.0.0.1",
        port=port,
        ssl_context=context if mode == "tls" else None,
        server_kwargs={
            "tls_context": context if mode == "starttls" else None,
            "require_starttls": mode == "starttls",
            "authenticator": authenticator(port),
            "auth_required": mode != "plain",
            "auth_require_tls": mode == "starttls",
        },
    ).start()
note(ready=True)
sys.stdin.read()
