"""What tests that ask an app over loopback share."""

from __future__ import annotations

import ssl

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""`verify` of a request by plain http: httpx reads the CA bundle for each request otherwise, which
takes a processor longer than a wait rests between two of them."""
