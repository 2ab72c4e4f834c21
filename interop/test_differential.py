"""Grevy and the Java server get the same requests and must give the same answers.

With `--server java` both are Java servers: what differs then is not deterministic in the original, and
has to be masked in `differential/symbols.py` with its reason.
"""

import pytest

from differential.compare import Pair, shrink
from differential.generator import generate
from differential.pools import SUPER_DIGEST
from differential.scripts import SCRIPTS

COMMON = {
    "zookeeper.DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
    # Nothing may change by the passing of time.
    "znode.container.checkIntervalMs": "86400000",
}
CONFIG = {"minSessionTimeout": "300000", "maxSessionTimeout": "600000"}
PROFILES = {
    "plain": ({}, {}),
    "full": (
        {"reconfigEnabled": "true"},
        {"zookeeper.extendedTypesEnabled": "true", "zookeeper.enforceQuota": "true"},
    ),
}
FIRST_SEED = {"plain": 0, "full": 500_000}
SEQUENCES = 250
"""How many a profile when nothing else is asked for."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("profile", PROFILES)
def test_random_sequences(profile, new_module_server, request):
    pair = make_pair(profile, new_module_server)
    seed = request.config.getoption("--seed")
    count = request.config.getoption("--sequences") or SEQUENCES
    seeds = [seed] if seed is not None else range(FIRST_SEED[profile], FIRST_SEED[profile] + count)
    differences = []
    for seed in seeds:
        difference = pair.compare(generate(seed))
        if difference is not None:
            differences.append(shrink(pair, difference, generate))
        if len(differences) == 5:
            break
    print(f"{profile}: seeds {seeds}, of which the reference did not survive {len(pair.skipped)}")
    again = f"again with: interop/run test_differential.py -k {profile} --seed SEED"
    assert not differences, "\n\n".join([difference.report() for difference in differences] + [again])


@pytest.fixture(scope="module")
def full_pair(new_module_server):
    return make_pair("full", new_module_server)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script(script, full_pair):
    difference = full_pair.compare(SCRIPTS[script](0))
    assert difference is None, difference.report()
    assert not full_pair.skipped, "the reference did not survive"


def make_pair(profile: str, launcher) -> Pair:
    config, properties = PROFILES[profile]
    numbers = iter(range(1000))

    def make(kind, role):
        name = f"{profile}-{next(numbers)}-{role}"
        return launcher(CONFIG | config, COMMON | properties, kind=kind, name=name)

    return Pair(lambda: make("java", "reference"), lambda: make(launcher.kind, "tested"))
