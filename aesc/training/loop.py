"""The training loop of the paper: undo a corruption, keep the weights of the best PSNR.

Source: Collin & De Vleeschouwer (ICPR 2020), section IV. The baselines are trained by it as well.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from aesc._checks import counted, image_batch, whole
from aesc.data.stream import ImageStream, batches_of
from aesc.errors import InputError, TrainingError
from aesc.noise import Corruption
from aesc.training.captured import CapturedStep
from aesc.training.checkpoint import (
    Checkpoint,
    digest,
    join_parts,
    optimizer_tensors,
    restore_optimizer,
    snapshot,
)
from aesc.training.held_out import HeldOut
from aesc.training.identity import identity_of, momenta
from aesc.training.order import shuffled_batches
from aesc.training.precision import autocast_type
from aesc.training.rate import LearningRate
from aesc.training.settings import Augment, History, TrainingSettings, mse_loss

EVERY = 10.0
"""Least seconds between two checkpoints on a card, where an epoch takes less than writing one."""


class Trainer:
    """Trains one network on one set of good images.

    Images (unless streamed), corruption and loss stay on the device; the host waits once an epoch.

    Args:
        model: the network; it is trained in place and moved to ``device``. Its ``config`` says what
            it was built with. Channels that it gives after those of the image are for the loss. If
            it `Looks`, it is shown the corrupted validation images after each epoch.
        train: N x C x H x W good images in [0, 1], or a stream of them, which trains to the same
            weights.
        validation: M x C x H x W good images that are never trained on. They are corrupted once,
            by the seed, so that the PSNR of two epochs can be compared; a few of them several times
            each, if the network `Looks`.
        corruption: what the network learns to undo.
        settings: the schedule; by default the published one.
        seed: seed of the order of the images and of the corruption.
        loss: function of reconstructions, clean images (B x C x H x W twice) and the mask of the
            corruption (B x 1 x H x W) to a number to minimise.
        augment: changes the good images before they are corrupted, such as their light, so that
            the network learns to keep that; by default they are taken as they are. Validation
            images always are.
        device: where to compute: cpu, cuda or mps. On cuda, mixed precision is used.
        checkpoint: file written after each epoch, on a card at most every `EVERY` seconds, and
            resumed from when it exists. Of a damaged one a warning tells, and the training starts
            from the beginning.

    Raises:
        InputError: no training or no validation image, images of another kind than B x C x H x W
            floating point, a negative seed, a checkpoint of another training or version, or with
            a checkpoint a corruption, loss or augmentation that it cannot tell from others.

    Example:
        >>> from aesc.model import AESc
        >>> from aesc.noise import Stain
        >>> images = torch.full((6, 1, 32, 32), 0.5)
        >>> model = AESc(depth=3, width=4, generator=torch.Generator().manual_seed(0))
        >>> settings = TrainingSettings(epochs=2, batches=3, batch_size=2)
        >>> history = Trainer(model, images[:4], images[4:], Stain(), settings).run(progress=False)
        >>> len(history.loss)
        2
    """

    def __init__(
        self,
        model: nn.Module,
        train: Tensor | ImageStream,
        validation: Tensor,
        corruption: Corruption,
        settings: TrainingSettings | None = None,
        *,
        seed: int = 0,
        loss: Callable[[Tensor, Tensor, Tensor], Tensor] = mse_loss,
        augment: Augment | None = None,
        device: torch.device | str = "cpu",
        checkpoint: Path | None = None,
    ) -> None:
        if isinstance(train, Tensor):
            image_batch(train, name="train")
        image_batch(validation, name="validation")
        for name, images in {"train": train, "validation": validation}.items():
            if len(images) == 0:
                raise InputError(f"{name} is empty: give at least one good image.")
        whole("seed", seed, 0)
        self.device = torch.device(device)
        self.settings = settings or TrainingSettings()
        self.corruption = corruption
        self.loss = loss
        self.augment = augment
        self.checkpoint = checkpoint
        # Hashing the images takes time, and without a checkpoint nobody asks.
        self.identity = {} if checkpoint is None else self._identity(model, train, validation, seed)
        # Channels-last is the layout in which the convolutions of small feature maps run fastest.
        self.model = model.to(self.device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave it out
        self.train_count = len(train)
        self.batches_at = batches_of(train, self.device)
        self.generator = torch.Generator(self.device).manual_seed(seed + 1)
        self.held_out = HeldOut(model, validation.to(self.device), corruption, self.generator)
        on_cuda = self.device.type == "cuda"
        self.optimizer = torch.optim.Adam(
            model.parameters(),
            lr=self.settings.learning_rate,
            fused=self.device.type != "mps",
            capturable=on_cuda,
        )
        self.rate = LearningRate(self.optimizer, self.settings, self.device)
        self.autocast_type = autocast_type(self.device)
        half = self.autocast_type is torch.float16
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=half)
        self.captured = CapturedStep(self._step, self.generator) if on_cuda else None
        self.between = 0.0 if self.device.type == "cpu" else EVERY
        self.saved = -math.inf
        self.history = History(keep_last=self.rate.cosine)
        self.best = snapshot(model)
        found = None if checkpoint is None else Checkpoint.find(checkpoint)
        if checkpoint is not None and found is not None:
            self._resume(found, checkpoint)

    def run(self, progress: bool = True) -> History:
        """Train to the last epoch, then load the best weights into the network.

        Args:
            progress: show a bar with the time left, the loss and the validation PSNR.

        Returns:
            The history of all epochs, those before a resume included.

        Raises:
            TrainingError: the loss is no longer finite; the network holds the best weights so far
                and the checkpoint is that of a good epoch.
            InputError: the checkpoint cannot be written.
        """
        done, batches = len(self.history.loss), self.settings.batches
        with tqdm(
            total=self.settings.epochs * batches,
            initial=done * batches,
            unit="batch",
            disable=not progress,
            mininterval=0.5,
        ) as bar:
            for _ in range(done, self.settings.epochs):
                loss = self._epoch(bar)
                decibels = self._validate()
                if not (math.isfinite(loss) and math.isfinite(decibels)):
                    self.model.load_state_dict(self.best)
                    raise TrainingError(
                        "The loss is no longer finite after "
                        f"{counted(len(self.history.loss), 'good epoch')}: try a learning rate "
                        f"below {self.settings.learning_rate:g} (the best weights so far are kept)."
                    )
                self.held_out.show()
                self._record(loss, decibels)
                bar.set_postfix(loss=f"{loss:.5f}", psnr=f"{decibels:.2f} dB")
        self.model.load_state_dict(self.best)
        return self.history

    def step(self, clean: Tensor) -> Tensor:
        """Train on one batch: corrupt, reconstruct, compare, move the weights.

        Args:
            clean: B x C x H x W good images in [0, 1], on the device. The network is in training
                mode.

        Returns:
            The loss, on the device.
        """
        return self._step(clean) if self.captured is None else self.captured(clean)

    @property
    def warm_up(self) -> int:
        """Calls of `step` that take longer than those that follow."""
        return 1 if self.captured is None else CapturedStep.WARM_UP + 1

    def _step(self, clean: Tensor) -> Tensor:
        """A step, kernel by kernel. On cuda nothing in it may wait for the card."""
        if self.augment is not None:
            clean = self.augment(clean, self.generator)
        clean = clean.contiguous(memory_format=torch.channels_last)
        corrupted, mask = self.corruption(clean, self.generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self._reconstruct(corrupted), clean, mask)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def _epoch(self, bar: tqdm) -> float:
        """One epoch of batches; returns the mean loss."""
        self.model.train()
        settings = self.settings
        total = torch.zeros((), device=self.device)
        done = len(self.history.loss) * settings.batches
        order = shuffled_batches(
            self.train_count, settings.batches, settings.batch_size, self.generator
        )
        for batch, clean in enumerate(self.batches_at(order), start=done):
            self.rate.before_batch(batch)
            total += self.step(clean)
            bar.update()
        return (total / settings.batches).item()

    def _reconstruct(self, images: Tensor) -> Tensor:
        if self.autocast_type is None:
            return self.model(images)
        # Weights that were cast once and kept would be those of the recorded step for ever.
        with torch.autocast(self.device.type, self.autocast_type, cache_enabled=False):
            return self.model(images).float()

    def _validate(self) -> float:
        """Mean PSNR in decibels of the reconstructed validation images."""
        self.model.eval()
        return self.held_out.psnr(self._reconstruct, self.settings.batch_size)

    def _record(self, loss: float, decibels: float) -> None:
        """Note a finished epoch, keep its weights when they are the best, write the checkpoint."""
        self.history.loss.append(loss)
        self.history.validation_psnr.append(decibels)
        if self.history.best_epoch == len(self.history.loss) - 1:
            self.best = snapshot(self.model)
        self.history.learning_rate.append(self.rate.value)
        self.rate.after_epoch(decibels)
        last = len(self.history.loss) >= self.settings.epochs
        if self.checkpoint is not None and (last or time.monotonic() - self.saved >= self.between):
            self._state().save(self.checkpoint)
            self.saved = time.monotonic()

    def _state(self) -> Checkpoint:
        parts = {
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": optimizer_tensors(self.optimizer),
        }
        tensors = {**join_parts(parts), "generator": self.generator.get_state()}
        numbers = {
            "epochs": self.settings.epochs,
            "history": asdict(self.history),
            **self.rate.state(),
            "scaler": self.scaler.state_dict(),
        }
        return Checkpoint(self.identity, tensors, numbers)

    def _resume(self, checkpoint: Checkpoint, path: Path) -> None:
        checkpoint.check(self.identity, path)
        self.model.load_state_dict(checkpoint.part("model"))
        self.best = {k: v.to(self.device) for k, v in checkpoint.part("best").items()}
        restore_optimizer(self.optimizer, checkpoint.part("optimizer"))
        self.rate.restore(checkpoint.numbers)
        self.scaler.load_state_dict(checkpoint.numbers["scaler"])
        self.generator.set_state(checkpoint.tensors["generator"])
        self.history = History(**checkpoint.numbers["history"])

    def _identity(
        self, model: nn.Module, train: Tensor | ImageStream, validation: Tensor, seed: int
    ) -> dict[str, Any]:
        """What must agree for a resume; not the epochs, unless they shape the learning rate."""
        settings = asdict(self.settings)
        if self.settings.decay == "plateau":
            del settings["epochs"]
        images = train.identity if isinstance(train, ImageStream) else digest(train)
        return {
            "version": version("aesc"),
            "network": f"{type(model).__name__} {model.config}",
            "momentum": momenta(model),
            "corruption": identity_of("corruption", self.corruption),
            "augmentation": identity_of("augment", self.augment),
            "loss": identity_of("loss", self.loss),
            "settings": str(settings),
            "seed": seed,
            "images": images[:16],
            "validation images": digest(validation)[:16],
            "device": self.device.type,
        }
