"""How much memory a model needs on which device, and which settings fit a machine best."""
