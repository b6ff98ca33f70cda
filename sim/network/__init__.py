"""The network: cells and places, controllers, switch and register, message centre, and the bytes they exchange."""
