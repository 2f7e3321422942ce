"""What travels on our topics: facts, commands, outcomes and dead letters, all frozen."""
