"""Studies of kind realism: are people, and what the network makes of them, like life?"""
