"""Run by test_finetune_kill.py: kills fine-tuning at several moments, and compares the end with an undisturbed run.

A small process of its own, so that it may fork. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import torch

from babelens import files
from babelens.finetuning import parts, run
from babelens.finetuning.run import CHECKPOINT, LOG, Run
from tests import tuning
from tests.processes import in_a_child

END = 12  # validated, and saved, at 5 and 10
torch.set_num_threads(1)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_half(descriptor: int) -> None:
    os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
    die()


class Doomed(Run):
    """Kills its process in a step before its weights are moved, or in the middle of writing a checkpoint."""

    at_step = at_write = -1

    def _forwards(self, batch):  # type: ignore[no-untyped-def]
        forwards = super()._forwards(batch)
        if self.step == self.at_step:
            (chunk, rows), *_ = forwards.values()
            chunk(slice(0, rows))
            die()
        return forwards

    def save_checkpoint(self) -> None:
        if self.step == self.at_write:
            files.os.fsync = die_with_half
        super().save_checkpoint()


def train(data: Path, out: Path, chosen: str, *, at_step: int = -1, at_write: int = -1) -> bool:
    """Whether a process of its own got to the end; what it learnt is then in ``learnt.pt``."""

    def work() -> None:
        begun = tuning.begin(tuning.own(), data, out, tuning.settings(parts=chosen), kind=Doomed)
        assert isinstance(begun, Doomed)
        begun.at_step, begun.at_write = at_step, at_write
        if (out / CHECKPOINT).exists():
            begun.load_checkpoint()
        begun.train(stop_after=END)
        learnt = {name: value.detach() for name, value in parts.trained(begun.tunable).items()}
        torch.save({"learnt": learnt, "best": begun.best}, out / "learnt.pt")

    return in_a_child(work)


def compared(place: Path, data: Path, chosen: str) -> dict[str, object]:
    whole, killed = place / chosen / "whole", place / chosen / "killed"
    ends = [train(data, whole, chosen)]
    # In a step after a checkpoint, then while the next one is written, then not at all.
    for moment in ({"at_step": 7}, {"at_write": 10}, {}):
        ends.append(train(data, killed, chosen, **moment))
    first, second = (torch.load(out / "learnt.pt", weights_only=True) for out in (whole, killed))
    different = [
        f"{part} {name}"
        for part in ("learnt", "best")
        for name, value in first[part].items()
        if not torch.equal(value, second[part][name])
    ]
    logs = [
        [json.loads(line)["step"] for line in (out / LOG).read_text(encoding="utf-8").splitlines()]
        for out in (whole, killed)
    ]
    return {
        "ends": ends,
        "weights": len(first["learnt"]),
        "same_names": first["learnt"].keys() == second["learnt"].keys(),
        "different": different,
        "logs": logs,
        "left": sorted(path.name for path in killed.iterdir()),
    }


def main(place: Path, chosen: list[str]) -> dict[str, object]:
    data = tuning.write_data(place / "data", counts=(32, 20, 20))
    return {name: compared(place, data, name) for name in chosen}


if __name__ == "__main__":
    assert run.MIN_STEPS > END
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), sys.argv[2:])))
