"""The tenant and the application that simulated systems have unless told otherwise."""

from __future__ import annotations

TENANT = "sandbox"
CLIENT_ID = "11111111-2222-4333-8444-555555555555"
CLIENT_SECRET = "sandbox-secret"
