"""The download manager: one pinned file, from several places, in several streams, resumable."""
