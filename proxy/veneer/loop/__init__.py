"""What the event loop and the run time are asked for: tasks, batched writes, clocks, memory."""
