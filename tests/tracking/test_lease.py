"""One at a time, whoever comes, sleeps or dies; on a registry that keeps MLflow's promises and answers slowly."""

from __future__ import annotations

import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST

from seedscope.files.errors import SeedscopeError
from seedscope.tracking import lease
from seedscope.tracking.lease import alone
from tests.chance import SEED


class Registry:
    """Registered models: a name once, each request in one instant, at some moment between its start and its end."""

    def __init__(self, slow: float = 0.0) -> None:
        self.models: dict[str, SimpleNamespace] = {}
        self.moment = itertools.count()
        self.lock = threading.Lock()
        self.slow, self.chance = slow, random.Random(SEED)

    def __getattr__(self, name: str):
        def request(*arguments: str, **more: str) -> object:
            time.sleep(self.chance.uniform(0, self.slow))
            with self.lock:
                answer = getattr(self, f"_{name}")(*arguments, **more)
            time.sleep(self.chance.uniform(0, self.slow))
            return answer

        return request

    def _create_registered_model(self, name: str, description: str) -> None:
        if name in self.models:
            raise MlflowException("there", RESOURCE_ALREADY_EXISTS)
        self.models[name] = SimpleNamespace(
            name=name, description=description, last_updated_timestamp=next(self.moment)
        )

    def _get_registered_model(self, name: str) -> SimpleNamespace:
        if name not in self.models:
            raise MlflowException("not there", RESOURCE_DOES_NOT_EXIST)
        return self.models[name]

    def _update_registered_model(self, name: str, _description: str) -> None:
        self._get_registered_model(name).last_updated_timestamp = next(self.moment)

    def _delete_registered_model(self, name: str) -> None:
        self._get_registered_model(name)
        del self.models[name]

    def _search_registered_models(self, _query: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(**vars(model)) for model in self.models.values()]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody dies for longer than a second."""
    monkeypatch.setattr(lease, "_SECONDS_TO_RENEW", 0.05)
    monkeypatch.setattr(lease, "_SECONDS_TO_LIVE", 1.0)
    monkeypatch.setattr(lease, "_BETWEEN_LOOKS", (0.003, 0.01))


def left_by_a_dead_one(registry: Registry, experiment: str = "toy") -> str:
    name = f"seedscope is publishing {experiment} (7)"
    registry.create_registered_model(name, description="ann on ant 1-2-3")
    return name


@pytest.mark.parametrize("dead", [False, True], ids=["none before", "a dead one before"])
def test_of_many_at_once_one_holds_it_at_a_time_and_all_do_in_the_end(dead: bool) -> None:
    registry = Registry(slow=0.004)
    if dead:
        left_by_a_dead_one(registry)
    inside: list[int] = []
    seen: list[list[int]] = []

    def publish(client: int) -> None:
        with alone(registry, "toy") as held:
            held()
            inside.append(client)
            time.sleep(0.005)
            seen.append(list(inside))
            inside.remove(client)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(publish, range(8)))
    assert sorted(seen) == [[client] for client in range(8)]
    assert not registry.models


def test_who_raises_it_between_my_look_and_my_raising_makes_me_lower_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    create = registry._create_registered_model
    other = "seedscope is publishing toy (9)"

    def late(name: str, description: str) -> None:
        monkeypatch.setattr(registry, "_create_registered_model", create)
        create(other, "bob on bee 1-2-3")
        create(name, description)

    monkeypatch.setattr(registry, "_create_registered_model", late)
    threading.Timer(0.1, lambda: registry.delete_registered_model(other)).start()
    with alone(registry, "toy"):
        assert other not in registry.models
        assert list(registry.models) == ["seedscope is publishing toy (1)"]


def test_who_lives_long_keeps_it() -> None:
    registry = Registry()
    with alone(registry, "toy") as held:
        waiting = threading.Thread(target=lambda: alone(registry, "toy").__enter__(), daemon=True)
        waiting.start()
        time.sleep(1.5 * lease._SECONDS_TO_LIVE)
        held()
        assert waiting.is_alive()
    waiting.join(5)
    assert not waiting.is_alive()


def test_who_slept_for_so_long_that_another_took_over_stops_and_takes_nothing_from_it() -> None:
    registry = Registry()
    with alone(registry, "toy") as held:
        mine = registry.models.pop("seedscope is publishing toy (1)")
        registry.create_registered_model(mine.name, description="bob on bee 1-2-3")
        with pytest.raises(SeedscopeError, match="somebody else's turn: run `dvc repro track` again"):
            held()
    assert registry.models[mine.name].description.startswith("bob")


def test_another_experiment_is_another_turn() -> None:
    registry = Registry()
    left_by_a_dead_one(registry, "toys")
    with alone(registry, "toy"), alone(registry, "to"):
        assert len(registry.models) == 3


def test_who_waits_in_vain_says_for_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    monkeypatch.setattr(lease, "_SECONDS_TO_LIVE", 60)
    monkeypatch.setattr(lease, "_SECONDS_TO_WAIT", 0.05)
    left_by_a_dead_one(registry)
    with pytest.raises(SeedscopeError, match=r"^ann on ant has been publishing toy for"), alone(registry, "toy"):
        pass
