"""The command line. Without a command the app starts; the commands do the same without a browser.

Exit code: 0 with a result, 2 for bad input with one line on stderr that says what is wrong, 130 when stopped by Ctrl-C
before there was a result. stdout carries the result and nothing else.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys

from core.errors import SpeakerError, reason
from core.names import printable
from demo import texts

PORT = 7860  # where the app is, if that port is free
PORTS_TRIED = 100
FORMATS = ("json", "csv", "rttm")  # of core.timeline, whose import would make --help slow
PROGRAM = "python -m demo"
_TIME = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,6}(?:\.\d{1,6})?)")


class UsageError(SpeakerError):
    """The command line itself is wrong."""


def main(argv: list[str] | None = None) -> int:
    """Run one command line (default: `sys.argv`); returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names are in any script, whatever the system's encoding
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    try:
        options = parser().parse_args(argv, argparse.Namespace(home=None))
        _run(options)
        sys.stdout.flush()
    except SpeakerError as error:
        print("error:", printable(" ".join(str(error).split())), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except OSError as error:
        if not _has_had_enough(error):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _has_had_enough(error: OSError) -> bool:
    """Does nobody read the result any more, as in `... | head`? Windows calls that an invalid argument."""
    nameless = error.errno == errno.EINVAL and error.filename is None and getattr(error, "winerror", None) is None
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and nameless)


def parser() -> argparse.ArgumentParser:
    """All commands and options."""
    home = _Parser(add_help=False)
    home.add_argument(
        "--home", metavar="DIR", default=argparse.SUPPRESS, help="folder of the speaker store (else SPEAKERS_HOME)"
    )
    part = _Parser(add_help=False)
    part.add_argument("--from", dest="start", type=seconds, metavar="T", help="begin there: 90, 1:30 or 1:02:03")
    part.add_argument("--to", dest="end", type=seconds, metavar="T", help="end there; with mic: listen that long")
    device = _Parser(add_help=False)
    device.add_argument("--device", metavar="D", help="microphone: number, name or part of the name (see devices)")
    yes = _Parser(add_help=False)
    yes.add_argument("--yes", action="store_true", help="do not ask")

    top = _Parser(
        prog=PROGRAM,
        description="Who is speaking? Without a command: start the app.",
        epilog="SOURCE is a file, a YouTube link or mic. Voices stay on this computer.",
        parents=[home],
    )
    top.add_argument(
        "--host",
        default="127.0.0.1",
        help="address the app listens on (%(default)s); others than this computer need SPEAKERS_PASSWORD",
    )
    top.add_argument("--port", type=_port, default=PORT, help="its port, the next free one when taken (%(default)s)")
    top.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    top.set_defaults(command="app")
    commands = top.add_subparsers(metavar="COMMAND", title="commands")

    command = commands.add_parser("enrol", help="learn a voice from 30 s of speech", parents=[home, part, device])
    command.add_argument("name", metavar="NAME")
    command.add_argument("sources", metavar="SOURCE", nargs="+", help="file, link or mic; several make one enrolment")
    command.add_argument("--yes-consent", action="store_true", help="the person agrees that their voice is stored")
    command.add_argument("--again", action="store_true", help="add a session to a person who is enrolled")
    command.add_argument("--sure", action="store_true", help="it is the right voice, even where it sounds like another")
    command.add_argument("--keep-audio", action="store_true", help="keep the speech too, to renew it for other weights")
    command.set_defaults(command="enrol")

    command = commands.add_parser("identify", help="name who speaks, every 5 s", parents=[home, part, device])
    command.add_argument(
        "sources",
        metavar="SOURCE",
        nargs="+",
        help="files or links, one after the other, or mic (until Ctrl-C or --to)",
    )
    forms = command.add_mutually_exclusive_group()
    for form in FORMATS:
        forms.add_argument(f"--{form}", dest="form", action="store_const", const=form, help=f"print {form.upper()}")
    command.set_defaults(command="identify")

    command = commands.add_parser("live", help="name who speaks into the microphone, now", parents=[home, device])
    command.add_argument("--seconds", type=seconds, metavar="N", help="end by itself (else: Ctrl-C)")
    command.add_argument(
        "--save",
        action="append",
        default=[],
        metavar="FILE",
        help=".json, .csv, .rttm, or .wav for the sound; repeatable",
    )
    command.set_defaults(command="live")

    secret = _Parser(add_help=False)
    secret.add_argument("--passphrase-file", metavar="FILE", help="its first line is the passphrase (else: asked)")
    command = commands.add_parser(
        "speakers", help="the people enrolled: list, show, rename, delete, export ...", parents=[home]
    )
    actions = command.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser("list", help="who is enrolled", parents=[home])
    action.set_defaults(command="list_speakers")
    action = actions.add_parser("rename", help="give a person another name", parents=[home])
    action.add_argument("old", metavar="OLD")
    action.add_argument("new", metavar="NEW")
    action.set_defaults(command="rename")
    action = actions.add_parser("delete", help="forget a person, or everybody", parents=[home, yes])
    action.add_argument("name", metavar="NAME", nargs="?")
    action.add_argument("--all", action="store_true", help="everybody")
    action.set_defaults(command="delete")
    action = actions.add_parser("show", help="a person's sessions and what they are worth", parents=[home])
    action.add_argument("name", metavar="NAME")
    action.set_defaults(command="show")
    action = actions.add_parser("export", help="people into one file", parents=[home, secret])
    action.add_argument("file", metavar="FILE")
    action.add_argument("names", metavar="NAME", nargs="*", help="else everybody")
    action.add_argument("--encrypt", action="store_true", help="with a passphrase")
    action.set_defaults(command="export")
    action = actions.add_parser("import", help="people from such a file", parents=[home, secret])
    action.add_argument("file", metavar="FILE")
    taken = action.add_mutually_exclusive_group()
    taken.add_argument("--skip", action="store_true", help="leave out people whose name is enrolled")
    taken.add_argument("--replace", action="store_true", help="put them in the place of those enrolled")
    action.set_defaults(command="import_people")
    action = actions.add_parser("renew", help="learn a person anew from kept speech", parents=[home])
    action.add_argument("name", metavar="NAME")
    action.set_defaults(command="renew")
    action = actions.add_parser("sure", help="how sure to be before somebody is named", parents=[home])
    action.add_argument("probability", metavar="P", nargs="?", type=_probability, help="0 to 0.99; else: recommend one")
    action.set_defaults(command="sure")

    command = commands.add_parser("devices", help="list microphones", parents=[home])
    command.set_defaults(command="devices")
    return top


def _run(options: argparse.Namespace) -> None:
    if options.command == "app":
        from demo.cli_text import asked_at_a_terminal
        from demo.doorkeeper import password_for

        port = free_port(options.host, options.port)
        password = password_for(options.host, ask=_ask_password if asked_at_a_terminal() else None)
        if password:
            print(texts.OPEN_TO_OTHERS.format(host=options.host), file=sys.stderr)
        if port != options.port:
            print(f"note: port {options.port} is taken, using {port}", file=sys.stderr)
        from demo.app import launch

        launch(
            home=options.home,
            host=options.host,
            port=port,
            open_browser=not options.no_browser,
            password=password,
        )
    else:
        from demo import cli_commands, cli_people

        place = cli_people if hasattr(cli_people, options.command) else cli_commands
        getattr(place, options.command)(options)


def _ask_password(question: str) -> str:
    from getpass import getpass

    try:
        return getpass(question)
    except EOFError:  # Ctrl-D
        return ""


class _Parser(argparse.ArgumentParser):
    """Complains in one line, as everything here does."""

    def __init__(self, **settings):
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str):
        raise UsageError(f"{message} (see {self.prog} --help)")


def seconds(text: str) -> float:
    """A time as people write it: 90, 1:30, 1:02:03.5 -> seconds."""
    found = _TIME.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no time: give seconds or minutes:seconds, 90 or 1:30")
    hours, minutes, rest = found.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest)


def _probability(text: str) -> float:
    if not re.fullmatch(r"0?\.\d{1,4}|0", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no probability: give a number from 0 to 0.99")
    return float(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no port: give a number from 1 to 65535")
    return int(text)


def free_port(host: str, port: int) -> int:
    """`port`, or the next one that nobody uses. Raises `UsageError` for a host that is not this computer."""
    from demo import ports

    for candidate in range(port, min(port + PORTS_TRIED, 65536)):
        error = ports.refused(host, candidate)
        if error is None:
            return candidate
        if not ports.is_taken(error):
            raise UsageError(f"the app cannot listen on {host[:60]} ({reason(error)}): leave out --host") from error
    raise UsageError(f"no port from {port} on is free: give another with --port")
