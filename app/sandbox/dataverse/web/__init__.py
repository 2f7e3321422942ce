"""Requests and answers: addresses and headers, who calls, and how much he may."""
