"""The network: cells, controllers, switch and register, message centre, and the bytes they exchange."""
