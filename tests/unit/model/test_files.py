from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from opsctl.model.documents import parse
from opsctl.model.environment import (
    Drills,
    Environment,
    Limits,
    Replay,
    Strategy,
    TargetName,
    VenueProfile,
)
from opsctl.model.files import Assembled, assemble
from opsctl.model.layers import leaves
from opsctl.model.sources import FIELDS, STRUCTURED
from opsctl.model.tiers import DrTier, LatencyTier

SOUND = "trading:tier: daily\ntrading:dr: cold\n"


def files(*texts: str, flags: Mapping[str, str] | None = None) -> Assembled:
    """Assemble environment `mine`; each text is the `config:` of a file, the nearest first."""
    names = ("mine", "base", "ground")
    documents = [
        parse(name, "config:\n" + "".join(f"  {line}\n" for line in text.splitlines()))
        for name, text in zip(names, texts, strict=False)
    ]
    return assemble("mine", documents, flags)


def made(*texts: str, flags: Mapping[str, str] | None = None) -> Environment:
    found = files(*texts, flags=flags)
    assert found.environment is not None, found.faults
    return found.environment


def faults(*texts: str, flags: Mapping[str, str] | None = None) -> list[str]:
    return [str(fault) for fault in files(*texts, flags=flags).faults]


def test_flag_over_file_over_what_it_extends_over_defaults() -> None:
    mine = "trading:extends: base\ntrading:limits:\n  max_order_shares: 20\n"
    base = SOUND + "trading:limits:\n  max_order_shares: 10\n  price_collar_bps: 50\n"
    found = files(mine, base, flags={"replay.day_s": "0.5", "log-level": "debug"})
    assert found.environment == Environment(
        name="mine",
        tier=LatencyTier.DAILY,
        dr=DrTier.COLD,
        limits=Limits(max_order_shares=20, price_collar_bps=50),
        replay=Replay(day_s=Decimal("0.5")),
        log_level="debug",
    )
    said = {path: str(origin) for path, origin in found.origins.items()}
    assert said["limits.max_order_shares"] == "Pulumi.mine.yaml, line 4"
    assert said["limits.price_collar_bps"] == "Pulumi.base.yaml, line 6"
    assert said["replay.day_s"] == said["log_level"] == "flag"
    assert said["limits.max_orders_per_s"] == "default"
    assert said["name"] == "Pulumi.mine.yaml"


def test_the_tier_fills_in_its_dr() -> None:
    found = files("trading:tier: weekly\n")
    assert found.environment is not None
    assert found.environment.dr is DrTier.COLD
    assert str(found.origins["dr"]) == "tier default"


def test_every_fault_at_once_with_its_line_and_what_would_be_right() -> None:
    text = """\
trading:tier: dayly
trading:dr: cold
trading:limits:
  max_order_notional_usd: -5
  max_notional: 3
  max_order_shares: true
  price_collar_bps: 9999
trading:venue:
  second_logon: maybe
trading:replay:
  start: someday
  day_s: fast
trading:live: perhaps
trading:timezone: Mars
trading:strategie: momentum
trading:settings:
  execution:
    level: [1]
trading:log-level:
"""
    at = "Pulumi.mine.yaml, line"
    assert faults(text) == [
        f"trading:tier: must be one of hft, intraday, daily, weekly, not 'dayly' ({at} 2)",
        f"trading:limits.max_order_notional_usd: must be > 0, not -5 ({at} 5)",
        (
            "trading:limits.max_notional: is no setting: did you mean max_order_notional_usd? "
            f"({at} 6)"
        ),
        f"trading:limits.max_order_shares: must be a number, not True ({at} 7)",
        f"trading:limits.price_collar_bps: must be <= 5000, not 9999 ({at} 8)",
        f"trading:venue.second_logon: must be one of refuse, evict, not 'maybe' ({at} 10)",
        f"trading:replay.start: must be a date such as 2010-01-04, not 'someday' ({at} 12)",
        f"trading:replay.day_s: must be a number, not 'fast' ({at} 13)",
        f"trading:live: must be true or false, not 'perhaps' ({at} 14)",
        (
            "trading:timezone: must be an IANA time zone, such as America/New_York, not 'Mars' "
            f"({at} 15)"
        ),
        f"trading:strategie: is no setting: did you mean trading:strategy? ({at} 16)",
        f"trading:settings.execution.level: must be a number, text, true or false ({at} 19)",
        f"trading:log-level: has no value: give one, or remove the line ({at} 20)",
    ]


def test_a_missing_tier_is_the_only_fault() -> None:
    assert faults("") == ["trading:tier: is required: one of hft, intraday, daily, weekly"]
    assert len(faults("trading:dr: lukewarm\n")) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("trading:secret:\n  secure: v1:abc", "is no setting"),
        ("trading:log-level:\n  secure: v1:abc", "trading:log-level: must not be `secure:`"),
        (
            "trading:settings:\n  desk:\n    key:\n      secure: v1:abc",
            "trading:settings.desk.key: must not be `secure:`",
        ),
        ("tier: daily", "tier: is no key of Pulumi's: did you mean trading:tier?"),
        ("trading:limits.max_order_shares: 5", "`trading:limits:` and below it `max_order_shares"),
        ("trading:allow_unmett: true", "did you mean trading:allow-unmet?"),
        ("trading:format: 99", "trading:format: 99 needs a newer opsctl"),
        ("trading:format: x", "trading:format: must be a whole number from 1"),
        ("trading:limits: 5", "trading:limits: must be a mapping of settings, not 5"),
        ("trading:limits: '{\"max_order_shares\": 0}'", "max_order_shares: must be > 0, not 0"),
        ("trading:limits: '{'", "trading:limits: must be a mapping of settings, not '{'"),
        ("trading:settings:\n  A B: {}", "trading:settings.A B: is no name"),
        ("trading:replay:\n  day_s: 0.0001", "replay.day_s: must have at most 3 decimal places"),
        ("trading:drills:\n  window: weekends", "drills.window: must be days and times, such as"),
        ("trading:drills:\n  scenarios: leader-kill", "drills.scenarios: must be a list, not"),
        ("trading:drills:\n  scenarios: [A b]", "drills.scenarios.0: must match"),
        ("trading:drills:\n  every: 90d", "drills.every: is no setting: did you mean every_days?"),
        (
            "trading:target: docker\ntrading:services:\n  bus: {}",
            "services: there is no service bus",
        ),
        (
            "trading:target: docker\ntrading:services:\n  desk:\n    memory: 5",
            "services.desk.memory: is no setting: did you mean memory_mb?",
        ),
        (
            "trading:target: docker\ntrading:services:\n  desk:\n    cpus: one",
            "services.desk.cpus: must match",
        ),
        ("trading:services:\n  desk:\n    cpus: '1'", "services: bounds containers, and target"),
        ("trading:infrastructure: gcp", "trading:infrastructure: must be one of none, aws"),
    ],
)
def test_faults_of_one_line(line: str, said: str) -> None:
    (fault,) = faults(SOUND + line)
    assert said in fault
    assert "Pulumi.mine.yaml, line " in fault


def test_a_newer_or_unreadable_file_is_not_reported_again_as_missing_values() -> None:
    assert len(faults("trading:format: 2\n")) == 1
    assert len(faults("trading:tier: [daily\n")) == 1


def test_other_namespaces_pass_untouched() -> None:
    assert made(SOUND + "aws:region: eu-west-1\npulumi:tags:\n  a: b\nx:secret:\n  secure: v1:a\n")


def test_json_in_a_string_is_a_mapping_as_pulumi_writes_it() -> None:
    environment = made(SOUND + "trading:limits: '{\"max_order_notional_usd\": 0.10}'\n")
    assert environment.limits.max_order_notional_usd == Decimal("0.10")
    flagged = made(SOUND, flags={"limits": '{"max_order_shares": 7}'})
    assert flagged.limits.max_order_shares == 7


def test_decimals_keep_the_digits_that_were_written() -> None:
    text = (
        SOUND
        + "trading:strategy:\n  capital_usd: 1234567890123456.78\n  parameters:\n    b: 0.10\n"
    )
    strategy = made(text).strategy
    assert strategy.capital_usd == Decimal("1234567890123456.78")
    assert strategy.parameters == {"b": "0.10"}


def test_another_strategy_takes_none_of_the_formers_parameters() -> None:
    base = (
        SOUND
        + "trading:strategy:\n  name: momentum\n  capital_usd: 5\n  parameters:\n    days: 20\n"
    )
    other = made("trading:strategy:\n  name: carry\n", base).strategy
    assert other == Strategy(name="carry", capital_usd=Decimal(5))
    same = made("trading:strategy:\n  name: momentum\n  parameters:\n    lag: 1\n", base).strategy
    assert same.parameters == {"days": 20, "lag": 1}


def test_unmet_tiers_are_refused_unless_allowed() -> None:
    text = "trading:tier: hft\ntrading:dr: cold\n"
    refused = faults(text)
    assert [fault.partition(":")[2].partition(":")[0] for fault in refused] == ["tier", "dr"]
    assert made(text + "trading:allow-unmet: true\n").tier is LatencyTier.HFT
    assert made(text, flags={"allow_unmet": "true"}).allow_unmet


def test_allow_unmet_does_not_bring_what_is_not_there_yet() -> None:
    text = "trading:tier: daily\ntrading:allow-unmet: true\n"
    assert "not available" in faults(text + "trading:dr: cold\ntrading:target: kubernetes\n")[0]


def test_faults_of_flags_name_the_flag() -> None:
    unknown, *others = faults(SOUND, flags={"tier": "slow", "no.such": "1", "limits": "x"})
    assert unknown.startswith(
        "trading:no: is no setting: known are allow-unmet, aws, books, detection-ms, dr, "
    )
    assert unknown.endswith("tier, timezone, venue (flag)")
    assert others == [
        "trading:tier: must be one of hft, intraday, daily, weekly, not 'slow' (flag)",
        "trading:limits: must be a mapping of settings, not 'x' (flag)",
    ]


def test_a_name_that_no_environment_can_have() -> None:
    found = assemble("Bad_Name", [parse("Bad_Name", "config: {trading:tier: weekly}")])
    (fault,) = found.faults
    assert str(fault).startswith("its name must match")


KEYS = st.sampled_from([*FIELDS, "extends", "format", "nonsense", "limits.max_order_shares"])
KINDS = (Limits, VenueProfile, Replay, Strategy, Drills)
NESTED_KEYS = st.sampled_from(
    [
        *(
            key
            for kind in (Limits, VenueProfile, Replay, Strategy, Drills)
            for key in kind.model_fields
        ),
        *("execution", "log_level", "int", "secure", "", "a.b"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.floats()
    | st.dates()
    | st.text(max_size=20)
    | st.sampled_from([*LatencyTier, *DrTier, *TargetName, "prices", "firm", "1e999999999", "{}"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NESTED_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(
    st.lists(st.dictionaries(KEYS.map("trading:{}".format), VALUES, max_size=8), max_size=3),
    st.dictionaries(KEYS | st.text(max_size=10), st.text(max_size=10), max_size=3),
)
def test_any_mapping_loads_or_lists_its_faults(
    configs: list[dict[str, Any]], flags: dict[str, str]
) -> None:
    documents = [
        parse(f"e{n}", "config: {}").model_copy(update={"config": config})
        for n, config in enumerate(configs)
    ]
    found = assemble("mine", documents, flags)
    assert (found.environment is None) == bool(found.faults)
    assert all(str(fault) for fault in found.faults)
    if found.environment is not None:
        assert_origins_cover(found)


def assert_origins_cover(found: Assembled) -> None:
    assert found.environment is not None
    paths = {".".join(path) for path, _ in leaves(found.environment.model_dump())}
    assert set(found.origins) == paths


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)
SERVICES = st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True)
# Text that YAML keeps: it has no control characters.
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"]))
USD = st.decimals(min_value="0.01", max_value="1000000000", places=2)
SETTINGS = st.dictionaries(NAMES, st.integers(-(10**17), 10**17) | TEXT | st.booleans(), max_size=3)
ENVIRONMENTS = st.builds(
    Environment,
    name=st.just("mine"),
    tier=st.sampled_from([LatencyTier.INTRADAY, LatencyTier.DAILY, LatencyTier.WEEKLY]),
    dr=st.just(DrTier.COLD),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    live=st.booleans(),
    allow_unmet=st.booleans(),
    limits=st.builds(
        Limits,
        max_order_notional_usd=USD,
        max_order_shares=st.integers(1, 10**9),
        price_collar_bps=st.integers(1, 5_000),
    ),
    venue=st.builds(VenueProfile),
    replay=st.builds(
        Replay,
        source=TEXT,
        start=st.dates(date(1900, 1, 1)),
        day_s=st.decimals(0, 86_400, places=3),
        seed=st.integers(0, 10**9),
    ),
    strategy=st.builds(Strategy, name=TEXT, parameters=SETTINGS, capital_usd=USD),
    drills=st.builds(
        Drills,
        window=st.sampled_from(["", "sat 10:00-16:00", "mon-fri 22:00-02:00, 12:00-13:00"]),
        every_days=st.integers(1, 3_650),
        scenarios=st.lists(st.from_regex(r"[a-z][a-z0-9-]{1,40}", fullmatch=True), max_size=3),
    ),
    log_level=st.sampled_from(["debug", "info", "warning", "error"]),
    settings=st.dictionaries(SERVICES, SETTINGS, max_size=2),
)


class Quoting(yaml.SafeDumper):
    """Quotes all text: YAML 1.1, which it writes, takes `0E0` for text, and YAML 1.2 does not."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@given(ENVIRONMENTS)
@example(
    Environment(name="mine", tier=LatencyTier.DAILY, dr=DrTier.COLD, strategy=Strategy(name="0E0"))
)
def test_an_environment_survives_being_written_as_a_file(environment: Environment) -> None:
    content = environment.model_dump(mode="json", exclude={"name"})
    config = {f"trading:{key}": content[field] for key, field in FIELDS.items()}
    text = yaml.dump({"config": config}, Dumper=Quoting, allow_unicode=True)
    found = assemble("mine", [parse("mine", text)])
    assert found.faults == ()
    assert found.environment == environment
    assert_origins_cover(found)
    # All that a file can hold comes from it; an empty mapping is a value too.
    assert {origin.kind for origin in found.origins.values()} == {"file"}


def test_structured_settings_are_those_of_mappings() -> None:
    content = Environment(name="x", tier=LatencyTier.WEEKLY, dr=DrTier.COLD).model_dump()
    assert {field for field, value in content.items() if isinstance(value, dict)} == STRUCTURED
