"""One network from one seed: trained, kept, and mapped over many seeds."""
