"""`WS /ws/transcribe`: the fourth document's dialect, with its barge-in, which its own program never had.

`session_started` is said before the client says anything, and audio may follow at once. After `end_session` the socket stays
open: the next audio, `start_session`, `configure` or `context_update` begins another session.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stenod import events as ev
from stenod.events import Command, Event, Fail, Stamp
from stenod.options import Endpointing
from stenod.protocols.base import Close, Handshake, Outgoing, Patience
from stenod.protocols.closing import close_code
from stenod.protocols.fields import Fields, texts_of
from stenod.protocols.stt_service_config import KNOWN, Config, Context
from stenod.protocols.stt_service_frames import Told
from stenod.protocols.wire_json import read, shown, write

LARGEST_TEXT: Final = 65_536
"""Characters of a text message."""

CLOSES: Final = {
    "overloaded": Close(1008, "Maximum connections exceeded"),
    "shutting_down": Close(1013, "Service temporarily unavailable"),
}
"""The document's own ways to refuse."""


class SttService:
    """One client of `/ws/transcribe`."""

    patience = Patience(again=True)

    def __init__(self, handshake: Handshake) -> None:
        self._name = handshake.id
        self._defaults = handshake.defaults
        self._legacy = Fields(handshake.query).flag("legacy", default=False)
        self._fields: dict[str, str] = {}
        self._config = Config.of(Fields({}), handshake.defaults.decode.language)
        self._language = self._config.language  # the one in force
        self._context = Context()
        self._open = False  # a session takes audio
        self._sessions = 1
        self._told = Told(handshake.id)

    def open(self) -> list[Command]:
        """Nothing needs to be said before the audio."""
        return self._begun()

    def receive(self, message: str | bytes) -> list[Command]:
        """Bytes are audio; text is one of the six control messages."""
        if isinstance(message, bytes):
            return [*self._begun(), ev.Audio(message)] if message else []
        said = read(message, limit=LARGEST_TEXT)
        if isinstance(said, Fail):
            return [said]
        kind = said.get("type")
        match kind:
            case "start_session" | "configure":
                return self._configure(said.get("session_config", said.get("config", {})))
            case "context_update":
                return self._heed(said.get("data", said))
            case "flush_buffer" | "user_interrupt" | "end_session" if not self._open:
                return [Fail("no_session", f"{kind} means nothing between sessions; audio or start_session begins one")]
            case "flush_buffer":
                return [ev.Commit()]
            case "user_interrupt":
                return [ev.Interrupt()]
            case "end_session":
                self._open = False
                return [ev.End()]
            case _:
                return [Fail("unknown_type", f"there is no message of type {shown(kind)}")]

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        """One JSON object for each event that a client sees; a final may be two."""
        told, config = self._told, self._config
        match event:
            case ev.Configured(options, ignored):
                self._language = options.decode.language
                frame = told.configured(config, self._context, ignored) if told.started else told.begun(stamp)
                return [write(frame)]
            case ev.Heard():
                told.messages += 1
            case ev.SpeechStarted() | ev.SpeechStopped():
                frame = told.activity(event, self._turns(), stamp, conversation_id=config.conversation_id)
                return [write(frame)] if config.barge_in_enabled else []
            case ev.Partial():
                return [write(told.partial(event, config, stamp))]
            case ev.Final():
                return [write(frame) for frame in told.final(event, config, stamp, legacy=self._legacy)]
            case ev.Interrupted():
                return [write(told.interrupted(event, stamp))]
            case ev.Warned():
                return [write(told.error(event, stamp))]
            case ev.Failed(code, message, fatal):
                if code == "unsupported_language":  # what was asked for before is still in force
                    self._config = replace(config, language=self._language)
                    self._fields["language"] = self._language or "auto"
                error = write(told.error(event, stamp))
                return [error, CLOSES.get(code, Close(close_code(code), message))] if fatal else [error]
            case ev.Ended():
                self._sessions += 1
                self._told = Told(f"{self._name}-{self._sessions}")
                return [write(told.ended(event, stamp))]
            case _:
                pass
        return []

    def _turns(self) -> Endpointing:
        return self._context.turns(self._defaults.endpointing)

    def _begun(self) -> list[Command]:
        """What makes sure that there is a session."""
        was, self._open = self._open, True
        return [] if was else [self._configured()]

    def _configured(self, ignored: tuple[str, ...] = ()) -> Command:
        return ev.Configure(self._config.options(self._defaults, self._turns()), ignored)

    def _configure(self, given: object) -> list[Command]:
        if not isinstance(given, dict):
            return [Fail("invalid_value", f"a configuration is an object, not {shown(given)}")]
        kept = {name: text for name, text in self._fields.items() if name not in given}
        merged = kept | texts_of({name: value for name, value in given.items() if name in KNOWN})
        fields = Fields(merged)
        config = Config.of(fields, self._defaults.decode.language)
        if fields.problem is not None:
            return [replace(fields.problem, fatal=False)]
        begun = self._begun()  # as it was, since what cannot be had now must not end it
        self._fields, self._config = merged, config
        return [*begun, self._configured(tuple(sorted(given.keys() - KNOWN)))]

    def _heed(self, given: object) -> list[Command]:
        if not isinstance(given, dict):
            return [Fail("invalid_value", f"a context is an object, not {shown(given)}")]
        fields = Fields(texts_of(given))
        context = self._context.heed(fields)
        if fields.problem is not None:
            return [replace(fields.problem, fatal=False)]
        before, self._context = self._context, context
        language = given.get("language_context")
        commands = self._configure({} if language is None else {"language": language})
        if isinstance(commands[-1], Fail):
            self._context = before
        return commands
