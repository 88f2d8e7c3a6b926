"""Fine-tuning of encoders on one's own captions, and the gate that decides whether it helped (extra ``[torch]``).

Reads top to bottom: `finetune` is the walk from data to verdict; `settings` what can be chosen; `tunable` an encoder
taken apart; `parts` which weights learn; `data` splits and other domains; `batches`, `objective` and `run` training;
`alarms`, `interpolation` and `gate` what stops, mends and judges it; `measure` what is found; `publish` and `report`
what is left behind. Importing this package imports no torch.
"""
