"""The phone: a SIP user agent in a process of its own, and each of its calls as a line."""
