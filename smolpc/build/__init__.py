"""From a pinned source to a packaged engine: fetch, configure, compile, package."""
