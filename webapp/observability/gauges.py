"""What is looked up when somebody asks: what waits, what is not sealed yet, which versions answer."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from webapp.observability.logs import log
from webapp.services import operations
from webapp.services.desk import Desk


class Gauges(Collector):
    """Looks things up for one scrape; what cannot be found out is left out."""

    def __init__(self, desk: Desk, version: str) -> None:
        self._desk = desk
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """A few indexed queries, whatever the size of the record."""
        yield _gauge(
            "parecer_build_info",
            "1; the labels say what runs.",
            {(self._version, platform.python_version()): 1},
            "version",
            "python",
        )
        place = operations.place(self._desk)
        parts: dict[tuple[str, ...], float] = {("data_folder",): float(place.writable)}
        try:
            standing = operations.standing()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the rest is still of use
            log.error("no gauges from the database", error=type(error).__name__)
            parts["database",] = 0
        else:
            parts["database",], parts["sealing",] = 1, float(not standing.trouble)
            yield from _of_database(standing)
        yield _gauge("parecer_up", "Whether a part works: 1 or 0.", parts, "part")
        yield _gauge("parecer_job_workers", "Workers for batches and submissions.", {(): place.workers})
        yield _gauge("parecer_disk_free_bytes", "Free on the disk of DATA_DIR.", {(): place.free})
        yield _gauge("parecer_disk_size_bytes", "Size of the disk of DATA_DIR.", {(): place.size})


def _of_database(standing: operations.Standing) -> Iterator[Metric]:
    jobs, submissions = standing.jobs, standing.submissions
    yield _gauge(
        "parecer_jobs",
        "Batches for a worker to do, and in its hands.",
        {("waiting",): jobs.waiting, ("running",): jobs.running},
        "state",
    )
    yield _gauge(
        "parecer_submissions",
        "Submitted models for a worker to inspect, and in its hands.",
        {("waiting",): submissions.waiting, ("running",): submissions.running},
        "state",
    )
    yield _gauge(
        "parecer_oldest_waiting_seconds",
        "How long the oldest that waits for a worker has done so; 0 where none does.",
        {("job",): jobs.oldest_seconds, ("submission",): submissions.oldest_seconds},
        "kind",
    )
    yield _gauge("parecer_unsealed_leaves", "Entries not sealed yet, at most.", {(): standing.unsealed})
    yield _gauge(
        "parecer_seal_lag_seconds", "Age of the oldest entry not sealed yet.", {(): standing.lag_seconds}
    )
    yield _gauge(
        "parecer_live_version_info",
        "1; the version of each model that answers.",
        dict.fromkeys(standing.live, 1),
        "model",
        "version",
    )


def _gauge(name: str, about: str, values: dict[tuple[str, ...], float], *labels: str) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
