"""Packets of sound: their order, their loss, their codec."""
