"""Measuring which engine settings are fastest on this machine."""
