"""A service for tests: answers its probe, or writes a line and exits.

python served.py PORT works|WORD|fails
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Ready(BaseHTTPRequestHandler):
    """Answers 200 to whoever asks."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Keep the log to what matters."""


def main() -> int:
    port, word = int(sys.argv[1]), sys.argv[2]
    if word == "fails":
        print("cannot work like this", flush=True)
        return 1
    print("works", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Ready).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
