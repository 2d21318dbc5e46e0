"""Records as tests need them, without a training."""

from pathlib import Path

from aesc.records import Record

REMEDY = ": keep them in separate folders, or pass --mixed to average them anyway."
RIVALS = {
    "itae": {"corruption": "erasing", "channels": 3, "loss": "l1", "norm": "l1"},
    "ae_l2": {"corruption": "none"},
}


def detection(auroc: float | None) -> dict:
    return {"auroc": auroc, "average_precision": 0.5, "f1_max": 0.5, "f1_threshold": 0.1}


def maps(image: float, pixel: float | None, aupro: float | None, l1: float = 0.125) -> dict:
    located = None if pixel is None else {**detection(pixel), "aupro": aupro}
    return {
        "image": {"l1": detection(l1), "l2": detection(image)},
        "pixel": located,
        "defects": {},
    }


def record(
    *,
    name: str = "r",
    data: dict | None = None,
    environment: dict | None = None,
    metrics: dict | None = None,
    minutes: float = 1,
    images_seen: int = 5600,
    **method,
) -> Record:
    """A record of AESc on MVTec AD's bottle, except for what is given."""
    counts = {"train": 64, "validation": 16, "test_good": 24, "test_defective": 40}
    settings = {
        "model": "aesc", "parameters": 9, "corruption": "stain", "preset": "quick", "size": 64,
        "channels": 1, "epochs": 10, "batches": 35, "batch_size": 16, "learning_rate": 0.002,
        "patience": 3, "momentum": 0.1, "passes": 30, "seed": 0,
    }  # fmt: skip
    versions = {"aesc": "0.1.0", "python": "3.11.7", "torch": "2.4.0", "numpy": "2.0.0"}
    content = {
        "schema_version": 1,
        "name": name,
        "data": {"dataset": "mvtec_ad", "category": "bottle", "fingerprint": "f0", **counts}
        | {"left_out_of_pixel_scores": 0}
        | (data or {}),
        "method": settings | method,
        "training": {"images_seen": images_seen, "best_epoch": 9, "best_validation_psnr": 30.0}
        | {"last_loss": 0.01},
        "environment": {"device": "cpu", **versions, "scipy": "1.14.0", "pillow": "11.0.0"}
        | {"platform": "Linux x86_64"}
        | (environment or {}),
        "duration": {"data": 0, "training": 60 * minutes, "scoring": 0},
        "metrics": metrics or {"residual": maps(0.9, 0.8, 0.7), "uncertainty": maps(0.6, 0.5, 0.4)},
    }
    return Record.model_validate(content)


def seeds(*aurocs: float) -> list[Record]:
    """Seeds 0, 1, ... that differ in the image AUROC of the residual."""
    return [
        record(name=f"s{i}", seed=i, metrics={"residual": maps(auroc, 0.8, 0.7)})
        for i, auroc in enumerate(aurocs)
    ]


def saved(folder: Path, *records: Record) -> Path:
    for position, one in enumerate(records):
        one.save(folder / f"{position}.json")
    return folder
