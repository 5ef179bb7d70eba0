"""The texts are read back by those who will read them: supervisord's parser, and a shell."""

from __future__ import annotations

import configparser
import json
import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.services.base import Address, HttpProbe, Service
from opsctl.targets.local import definition
from opsctl.targets.local.layout import Layout

LAYOUT = Layout(Path("/state/environments/daily"))
PROGRAMS = definition.Programs("/bin/sh", "/usr/bin/setpriv", "/usr/bin/chrt", "/usr/bin/nice")


def service(**more: object) -> Service:
    return Service.model_validate(
        {
            "name": "data",
            "site": "a",
            "kind": "app",
            "purpose": "a test",
            "argv": ("/bin/python", "-m", "apps.data"),
            "probe": HttpProbe(at=Address(host="127.0.0.1", port=1), path="/", secret="t"),
            **more,
        }
    )


def parsed(text: str) -> configparser.RawConfigParser:
    """Read a text as supervisord does."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(text)
    return parser


def test_the_process_is_named_by_the_digest_of_the_service() -> None:
    text = definition.program(service(), LAYOUT, PROGRAMS, level=3, user=None)
    section = parsed(text)["program:data@a"]
    assert section["process_name"] == service().digest()
    assert section["command"] == "/bin/sh /state/environments/daily/services/data@a.sh"
    assert (section["autostart"], section["autorestart"]) == ("false", "true")
    assert section["priority"] == "3"
    assert "user" not in section


def test_a_service_stops_by_its_own_signal_in_its_own_time_under_its_own_account() -> None:
    text = definition.program(
        service(stop_signal="INT", stop_within_s=20), LAYOUT, PROGRAMS, level=1, user="opsctl"
    )
    section = parsed(text)["program:data@a"]
    assert (section["stopsignal"], section["stopwaitsecs"], section["user"]) == (
        *("INT", "20", "opsctl"),
    )


def test_supervisord_is_known_again_by_the_digest_of_its_configuration() -> None:
    text = definition.supervisord(LAYOUT, "s3cret", root=False)
    found = definition.identifier(text)
    assert parsed(text)["supervisord"]["identifier"] == found
    assert definition.identifier(definition.supervisord(LAYOUT, "s3cret", root=False)) == found
    assert definition.identifier(definition.supervisord(LAYOUT, "other", root=False)) != found
    assert definition.identifier(definition.supervisord(LAYOUT, "s3cret", root=True)) != found


def test_supervisord_listens_on_its_socket_alone_with_a_password() -> None:
    parser = parsed(definition.supervisord(LAYOUT, "s3cret", root=True))
    assert "inet_http_server" not in parser
    assert parser["unix_http_server"]["password"] == "s3cret"
    assert parser["unix_http_server"]["chmod"] == "0700"
    assert parser["supervisord"]["user"] == "root"


AWKWARD = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@settings(max_examples=25)
@given(value=AWKWARD, argument=AWKWARD.filter(bool))
def test_a_shell_reads_every_setting_and_argument_as_it_was(value: str, argument: str) -> None:
    report = "import json,os,sys;print(json.dumps([os.environ['TRADING_X'],sys.argv[1]]))"
    script = definition.start_script(
        service(
            argv=("/usr/bin/env", "python3", "-c", report, argument),
            environment={"TRADING_X": value},
        ),
        LAYOUT,
        PROGRAMS,
        "some-uuid",
    )
    begun = script.replace("cd /state/environments/daily/data/data@a\n", "")
    done = subprocess.run(
        ["/bin/sh", "-c", begun], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert json.loads(done.stdout) == [value, argument]


def test_a_service_dies_with_supervisord_and_is_known_again() -> None:
    script = definition.start_script(service(stop_signal="INT"), LAYOUT, PROGRAMS, "some-uuid")
    assert "exec /usr/bin/setpriv --pdeathsig INT -- /bin/python -m apps.data" in script
    assert "export OPSCTL_ENVIRONMENT_ID=some-uuid" in script
    assert "export OPSCTL_SERVICE=data@a" in script


def test_a_service_off_the_order_path_stands_back() -> None:
    script = definition.start_script(service(background=True), LAYOUT, PROGRAMS, "some-uuid")
    assert "-- /usr/bin/chrt --batch 0 /usr/bin/nice -n 10 /bin/python -m apps.data" in script


def test_no_setting_can_hide_the_marks() -> None:
    marks = definition.marks(
        service(environment={"OPSCTL_SERVICE": "other@a", "TZ": "CET"}), LAYOUT, "some-uuid"
    )
    assert marks["OPSCTL_SERVICE"] == "data@a"
    assert marks["TZ"] == "CET"
