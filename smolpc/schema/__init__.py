"""The values smolpc works with: frozen, typed, validated, printable as JSON.

Every struct that a person writes (profile, recipe, manifest, settings) rejects unknown
keys; every struct that smolpc writes carries a `format` number.
"""
