"""Pages for people: what each simulated system holds, and its fault switches.

Plain HTML of one server beside the systems, readable without JavaScript and without any file from
elsewhere. The same addresses serve `dovetail sandbox faults` as JSON (see `application`).
"""

from app.sandbox.pages.application import pages_app

__all__ = ["pages_app"]
