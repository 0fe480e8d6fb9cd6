"""The kiosk: the device's own microphone, loudspeaker and screen, and whoever stands in front of them."""
