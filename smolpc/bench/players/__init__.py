"""Who answers: the engine in process, servers over HTTP, llama-bench. Each in a process of its
own, so that none slows another down by being in the same one."""
