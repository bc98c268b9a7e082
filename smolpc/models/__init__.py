"""Models: where they lie (`storage`) and how they come here (`download`)."""
