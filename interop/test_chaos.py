"""Faults of all kinds, one after the other, under a recorded load, which is judged at the end.

INTEROP_CHAOS_SECONDS makes it longer; `--seed` repeats the faults of a run, as far as chance lets it.
"""

import os
import random
import time

import pytest

from harness.disks import Shim
from histories.load import Load

SECONDS = float(os.environ.get("INTEROP_CHAOS_SECONDS", "40"))
"""How long there are faults, in each of the tests."""

CONFIG = {"tickTime": "400", "syncLimit": "5", "initLimit": "20", "snapCount": "400"}
SILENCE = 3.0
"""Seconds after which servers, which wait for syncLimit ticks, have noticed that another is silent."""


class Chaos:
    """What can happen to an ensemble. Each fault returns when it has had its effect; `heal` ends all of them."""

    def __init__(self, ensemble, network, shims, load, chance):
        self.ensemble, self.network, self.shims, self.load, self.chance = ensemble, network, shims, load, chance
        self.done = []
        self.several = False
        """Whether several faults are there at once. Then nothing need go on; nothing may go wrong all the same."""

    FAULTS = [
        "kill_one",
        "kill_the_leader",
        "kill_a_majority",
        "kill_all",
        "stop_the_leader",
        "pause_one",
        "pause_the_leader",
        "isolate_the_leader",
        "isolate_the_leader_but_for_one",
        "mute_the_leader",
        "deafen_one",
        "reset_all_links",
        "part_two_followers",
        "hide_one_from_clients",
        "slow_links",
        "slow_disk",
        "stuck_disk",
    ]

    def some(self):
        faults = self.chance.sample(self.FAULTS, self.chance.choice([1, 1, 2]))
        self.several = len(faults) > 1
        for fault in faults:
            print(f"{time.monotonic():.3f} {fault}", flush=True)
            getattr(self, fault)()
            self.done.append(fault)

    def heal(self):
        self.network.heal()
        for shim in self.shims.values():
            shim.heal()
        for sid in self.ensemble.ids:
            if self.ensemble[sid].alive():
                self.ensemble.resume(sid)
        self.ensemble.start()
        self.ensemble.await_serving()
        self.load.progress(100)

    # Processes

    def kill_one(self):
        self.ensemble.kill(self._any())
        self._goes_on()

    def kill_the_leader(self):
        self.ensemble.kill(self._leader())
        self._goes_on()

    def kill_a_majority(self):
        self.ensemble.kill(*self.chance.sample(self.ensemble.ids, self.ensemble.majority()))

    def kill_all(self):
        self.ensemble.kill(*self.ensemble.ids)

    def stop_the_leader(self):
        self.ensemble.stop(self._leader())
        self._goes_on()

    def pause_one(self):
        self.ensemble.pause(self._any())
        self._goes_on()

    def pause_the_leader(self):
        """It goes on, believing that it leads, when there is another."""
        leader = self._leader()
        self.ensemble.pause(leader)
        self._another_leads(leader)

    # Links

    def isolate_the_leader(self):
        leader = self._leader()
        self.network.isolate(leader, *self._others(leader))
        self._another_leads(leader)

    def isolate_the_leader_but_for_one(self):
        leader = self._leader()
        self.network.isolate(leader, *self._others(leader)[1:])
        self._goes_on()

    def mute_the_leader(self):
        leader = self._leader()
        self.network.cut_one_way(*[(leader, other) for other in self._others(leader)])
        time.sleep(SILENCE)

    def deafen_one(self):
        one = self._any()
        self.network.cut_one_way(*[(other, one) for other in self._others(one)])
        time.sleep(SILENCE)

    def reset_all_links(self):
        ids = self.ensemble.ids
        self.network.sever(*[(one, other) for one in ids for other in ids if one < other])
        time.sleep(self.chance.random())

    def part_two_followers(self):
        self.network.cut(tuple(self._others(self._leader())[:2]))
        self._goes_on()

    def hide_one_from_clients(self):
        one = self._any()
        getattr(self.network, self.chance.choice(["cut", "sever"]))(("client", one))
        self._goes_on()

    def slow_links(self):
        ids = self.ensemble.ids
        for pair in [(one, other) for one in ids for other in ids if one != other]:
            self.network.delay(self.chance.expovariate(1 / 0.05), pair)
        self._goes_on()

    # Disks

    def slow_disk(self):
        self.shims[self._any()].delay(200)
        self._goes_on()

    def stuck_disk(self):
        """Of the leader, as often as not. No longer than it takes the others to notice: an orderly end has to wait."""
        self.shims[self.chance.choice([self._leader(), self._any()])].delay(4000)
        time.sleep(SILENCE)

    def _any(self) -> int:
        return self.chance.choice(self.ensemble.ids)

    def _leader(self) -> int:
        return self._any() if self.several else self.ensemble.await_leader()

    def _others(self, one: int) -> list[int]:
        others = [sid for sid in self.ensemble.ids if sid != one]
        self.chance.shuffle(others)
        return others

    def _goes_on(self):
        """The rest is a quorum, and must go on serving."""
        if not self.several:
            self.load.progress(50)
        # Long enough for the others to notice, or not.
        time.sleep(self.chance.choice([0, SILENCE]))

    def _another_leads(self, leader: int):
        if not self.several:
            self.ensemble.await_leader(among=self._others(leader))
        self._goes_on()


@pytest.mark.timeout(120 + 3 * SECONDS)
@pytest.mark.parametrize("kinds", [("own", "own", "own"), ("java", "own", "own")], ids=["alone", "with java"])
def test_chaos(new_ensemble, network, kinds, request, tmp_path):
    # Checks of a change play the same faults each time; whoever looks for trouble draws others.
    seed = request.config.getoption("--seed") or (1 if os.environ.get("CI") else random.randrange(1 << 16))
    print(f"seed {seed}")
    chance = random.Random(seed)
    ensemble = new_ensemble(*chance.sample(kinds, len(kinds)), network=network, config=CONFIG)
    shims = {sid: Shim(tmp_path / str(sid)) for sid in ensemble.ids}
    for sid, shim in shims.items():
        ensemble[sid].environment = shim.environment
    ensemble.start()
    with Load(ensemble, count=6, seed=seed, rate=60) as load:
        chaos = Chaos(ensemble, network, shims, load, chance)
        load.progress(100)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            chaos.some()
            chaos.heal()
    assert len(chaos.done) > SECONDS / 15, f"too few faults: {chaos.done}"
    load.judge({"epochs": 2, "resumed": 20, "events": 100})
