"""Where an answer comes from: the engine in this process, llama-server, or Ollama.

All speak the protocol of `protocol.py`; `chain.py` tries one after the other.
"""
