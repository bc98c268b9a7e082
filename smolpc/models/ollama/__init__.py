"""Ollama's models: reading its stores, and writing a Modelfile for it.

Nothing here, and nothing that uses it, writes into a store of Ollama: no file is created,
renamed, removed or given other permissions there, and no lock is taken. A hard link from
smolpc's store to a blob (see `models.adopt`) gives the blob a second name; its bytes and
its time stamp stay as they are.
"""
