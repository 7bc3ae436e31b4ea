"""Networks. Each is one ``torch.nn.Module`` in one file; ``conf/model/<name>.yaml`` names it by ``_target_``."""
