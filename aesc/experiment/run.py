"""One run, step by step: read, train, score, evaluate, write the record."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from aesc.data import (
    Category,
    ReadOptions,
    check_scorable,
    image_cache,
    load_category,
    resolve_category,
)
from aesc.data.stream import half_of_memory
from aesc.device import resolve_device
from aesc.experiment.config import PRESETS, RunConfig
from aesc.experiment.evaluation import evaluate
from aesc.experiment.method import ScoringOptions
from aesc.experiment.methods import METHODS
from aesc.experiment.trainers import method_trainer
from aesc.files import check_writable, remove_abandoned
from aesc.noise import Corruption
from aesc.provenance import environment
from aesc.records import EMBEDDED, SCHEMA, Data, Duration, MethodRecord, Record, Training
from aesc.records.record import NoRecordError
from aesc.scoring import AnomalyMaps
from aesc.synthetic import category_spec
from aesc.tiling import in_tiles
from aesc.training import History, save_tensors

KEEP_CHECKPOINT = "AESC_KEEP_CHECKPOINT"
"""Environment variable: set where more than the record has to be written before all is done."""


class Experiment:
    """A run whose steps are properties, each computed once, when it is first asked for.

    A notebook looks at the steps one by one; `run` asks for the last one, which asks for the rest.

    Args:
        config: what to do.
        out: folder for the files of the run: ``NAME.json`` (the record), ``NAME.safetensors`` (the
            weights) and, until the record is written, ``NAME.checkpoint`` to resume from.
        progress: show bars with the time left.

    Raises:
        InputError: an unknown category, a missing folder, ``out`` that cannot be written to, or a
            record of that name in it that is from other data or another version of the package.
    """

    def __init__(self, config: RunConfig, out: Path | str = "runs", progress: bool = True) -> None:
        self.config = config
        self.out = Path(out)
        self.progress = progress
        self.device = resolve_device(config.device)
        self.method = METHODS[config.model]
        self._seconds = dict.fromkeys(("data", "training", "scoring"), 0.0)
        if config.data == EMBEDDED:
            category_spec(config.category)
        else:
            check_scorable(resolve_category(config.category, config.data))
        check_writable(self.out)
        remove_abandoned(self.out, f"{config.name}.")
        self._check_not_taken()

    def path(self, suffix: str) -> Path:
        """Path of a file of this run, for example ``path(".json")``."""
        return self.out / f"{self.config.name}{suffix}"

    @cached_property
    def category(self) -> Category:
        """The images, generated first when they are the embedded ones.

        Training images that would take more than half of the memory are streamed from disk, which
        changes no result; others are decoded once and kept (`aesc.data.image_cache`).

        Raises:
            InputError: images or masks that cannot be used.
        """
        config = self.config
        with self._timed("data"):
            folder = config.folder(self.progress)
            self._quick_fingerprint = config.quick_fingerprint()
            return load_category(
                folder,
                size=config.size,
                channels=config.channels,
                seed=config.seed,
                options=ReadOptions(half_of_memory(self.device), image_cache()),
            )

    @property
    def corruption(self) -> Corruption:
        """What the network learns to undo."""
        return self.method.corruptions[self.config.corruption]()

    @property
    def model(self) -> nn.Module:
        """The network, trained; by then its `history` is there as well."""
        return self._trained[0]

    @property
    def history(self) -> History:
        """Loss and validation PSNR of every epoch."""
        return self._trained[1]

    @cached_property
    def _trained(self) -> tuple[nn.Module, History]:
        config, category = self.config, self.category
        generator = torch.Generator().manual_seed(config.seed)
        momentum = PRESETS[config.preset].momentum
        side = config.tile or config.size
        model = self.method.build(config.channels, side, momentum, generator)
        with self._timed("training"):
            trainer = method_trainer(
                self.method,
                model,
                category.train,
                category.validation,
                config.training_settings(),
                corruption=config.corruption,
                tile=config.tile,
                seed=config.seed,
                device=self.device,
                checkpoint=self.path(".checkpoint"),
            )
            history = trainer.run(self.progress)
        self._save_weights(model)
        return model, history

    @cached_property
    def maps(self) -> AnomalyMaps:
        """Reconstructions and anomaly maps of the test images."""
        model, config = self.model, self.config
        options = ScoringOptions(
            config.passes, config.seed, self.device, self.progress, tiling=config.tiling
        )
        with self._timed("scoring"):
            return self.method.maps(model, self.category.test, self.category.train, options)

    def reconstruct(self, images: Tensor) -> Tensor:
        """What the trained network makes of images; in tiles, where the run sees tiles.

        Args:
            images: B x C x H x W in [0, 1].

        Returns:
            B x C x H x W, on the CPU. What a network gives besides, such as a mask, is left out.
        """
        network, images, tiling = self.model.eval(), images.to(self.device), self.config.tiling
        with torch.inference_mode():
            if tiling is None:
                found = network(images)
            else:
                (found,) = in_tiles(lambda tiles: [network(tiles)], images, tiling)
        return found[:, : images.shape[1]].cpu()

    @cached_property
    def record(self) -> Record:
        """The record, not yet written."""
        config, category, maps = self.config, self.category, self.maps
        return Record(
            schema_version=SCHEMA,
            name=config.name,
            data=self._data(),
            method=self._method(),
            training=self._training(),
            environment=environment(self.device),
            metrics={
                kind: evaluate(category, m, self.method.norm) for kind, m in maps.maps.items()
            },
            duration=Duration(**{k: round(v, 2) for k, v in self._seconds.items()}),
            notes=" ".join(category.notes),
        )

    def run(self) -> Record:
        """Do all steps and write the record.

        The checkpoint goes last: whatever is interrupted before does not train again. Whoever
        executes a notebook removes it when that is kept as well, and sets `KEEP_CHECKPOINT`.
        """
        self.record.save(self.path(".json"))
        if KEEP_CHECKPOINT not in os.environ:
            self.path(".checkpoint").unlink(missing_ok=True)
        return self.record

    def _check_not_taken(self) -> None:
        """Refuse to replace a record of another version or (`RunConfig.matches`) of other data."""
        path = self.path(".json")
        try:
            record = Record.load(path)
        except NoRecordError:  # what could be lost is not there
            return
        self.config.matches(record, str(path))

    def _data(self) -> Data:
        category = self.category
        defective = int(category.labels.sum())
        return Data(
            dataset=self.config.dataset,
            category=category.name,
            fingerprint=category.fingerprint,
            train=len(category.train),
            validation=len(category.validation),
            test_good=len(category.test) - defective,
            test_defective=defective,
            left_out_of_pixel_scores=int((~category.pixel_scored).sum()),
            quick_fingerprint=self._quick_fingerprint,
        )

    def _method(self) -> MethodRecord:
        config, settings = self.config, self.config.training_settings()
        return MethodRecord(
            model=config.model,
            parameters=sum(p.numel() for p in self.model.parameters()),
            corruption=config.corruption,
            preset=config.preset,
            size=config.size,
            tile=config.tile,
            channels=config.channels,
            epochs=settings.epochs,
            batches=settings.batches,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            patience=settings.patience,
            momentum=PRESETS[config.preset].momentum,
            passes=config.passes,
            seed=config.seed,
            loss=self.method.loss,
            norm=self.method.norm,
            decay=settings.decay,
        )

    def _training(self) -> Training:
        history, settings = self.history, self.config.training_settings()
        return Training(
            images_seen=len(history.loss) * settings.batches * settings.batch_size,
            best_epoch=history.best_epoch + 1,
            best_validation_psnr=history.validation_psnr[history.best_epoch],
            last_loss=history.loss[-1],
        )

    def _save_weights(self, model: nn.Module) -> None:
        metadata = {"config": self.config.model_dump_json(exclude={"data"})}
        save_tensors(model.state_dict(), self.path(".safetensors"), metadata)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._seconds[step] += time.perf_counter() - start
