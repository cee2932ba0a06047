"""Running methods: phases, trainers, callbacks."""
