"""Engines that run on this device, each in a worker process of its own.

`whisper`, `llama`, `piper` and `smartturn` are what the worker runs; `proxy` is what the main process holds instead.
Only a worker may import the first four: they pull in their inference libraries.
"""
