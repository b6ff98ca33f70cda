"""Studies of kind firewall: does anybody ever receive what the policy forbids, whatever happens?"""
