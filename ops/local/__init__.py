"""The system on one machine: servers, processes, secrets, topology. Not here: what an operator does with events or audit."""
