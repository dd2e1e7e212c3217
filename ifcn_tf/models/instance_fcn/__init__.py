"""InstanceFCN: the paper's network."""
