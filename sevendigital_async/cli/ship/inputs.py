"""What a run reads: files, files that grow, or a topic of Kafka."""

from __future__ import annotations

import glob
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from ...errors import ConfigurationError
from ...shipping.spools.registry import file_of
from ...sources import FileSource, FollowSource, ReadOptions, Source
from ...sources.files import STANDARD_INPUT
from .reject_file import RejectFile

if TYPE_CHECKING:
    from ...sources.kafka import DeadLetterTopic

KAFKA_SCHEME = "kafka://"
OUTPUT_ENDINGS = (".spool", ".rejected", ".unsent")
"""Of files that a run makes; it does not read them when they match a pattern."""


@frozen
class Input:
    """The inputs of a run, as they were typed.

    Attributes:
        files: Paths, patterns, ``-``, or one URL of Kafka.
        is_followed: They are read as they grow.
    """

    files: Sequence[str]
    is_followed: bool = False

    def __attrs_post_init__(self) -> None:
        """Check that they can be read together, and that each file is there."""
        several = len(self.files) > 1
        if several and any(map(_is_kafka, self.files)):
            raise ConfigurationError(
                "a Kafka topic can't be combined with other inputs: give one kafka:// URL and no files"
            )
        if self.is_followed and self.is_kafka:
            raise ConfigurationError("a Kafka topic is always followed; remove --follow")
        if self.is_followed and STANDARD_INPUT in self.files:
            raise ConfigurationError(
                "--follow does not apply to standard input, which is read as it arrives; remove it or name a file"
            )
        if not self.is_followed and not self.is_kafka:
            for file in self.files:
                if file == STANDARD_INPUT or not _is_pattern(file):
                    _check_readable(file)

    @property
    def is_kafka(self) -> bool:
        return _is_kafka(self.files[0])

    @property
    def is_endless(self) -> bool:
        """It is read until a signal."""
        return self.is_followed or self.is_kafka

    @property
    def is_single(self) -> bool:
        """It is one file, pipe or topic."""
        return len(self.files) == 1 and not _is_pattern(self.files[0])

    @property
    def is_rereadable(self) -> bool:
        """It is one or several regular files, which can be read again."""
        return self.is_followed or not self.is_single or (_is_regular(self.files[0]) and not self.is_kafka)

    @property
    def name(self) -> str:
        """Its name, for messages; without a password."""
        if self.is_kafka:
            return self._topic
        return ", ".join("stdin" if file == STANDARD_INPUT else file for file in self.files)

    @property
    def base_name(self) -> str:
        """The name from which those of the spool and of other files are made."""
        if self.is_kafka:
            return self._topic
        return self.name if self.is_single else "plays"

    @property
    def _topic(self) -> str:
        from ...sources.kafka import KafkaURL  # noqa: PLC0415 - an extra

        return KafkaURL.parse(self.files[0]).topic

    def open(
        self, options: ReadOptions, *, directory: Path | None, output_files: Sequence[Path] = (), poll: float = 1.0
    ) -> Source:
        """Return the source; nothing is read yet.

        Args:
            options: How files are read.
            directory: Files are named relative to it in checkpoints.
            output_files: Files of the run, which are not read though a pattern matches them.
            poll: Seconds between two looks at files that grow.

        Raises:
            ConfigurationError: There is no such file.
        """
        if self.is_kafka:
            from ...sources.kafka import KafkaSource  # noqa: PLC0415 - an extra

            return KafkaSource(self.files[0], columns=options.columns)
        exclude = [f"{glob.escape(os.path.abspath(file))}*" for file in output_files]  # noqa: PTH100 - links stay
        if self.is_followed:
            exclude += [f"*{ending}{more}" for ending in OUTPUT_ENDINGS for more in ("", "-*", ".*")]
            return FollowSource(*self.files, options=options, poll=poll, exclude=exclude)
        return FileSource(*self.files, options=options, directory=directory, exclude=exclude)

    def dead_letter_topic(self, topic: str | None) -> DeadLetterTopic | None:
        """Return where bad messages go; None for a file."""
        if topic is None:
            return None
        if not self.is_kafka:
            raise ConfigurationError("--dead-letter-topic applies to a kafka:// URL; use --rejected for files")
        from ...sources.kafka import DeadLetterTopic as Topic  # noqa: PLC0415 - an extra

        return Topic(self.files[0], topic)


def parse_mapping(texts: Sequence[str]) -> Mapping[str, str] | None:
    """Read what ``--map`` says: ``trackId=track,timestamp=played_at``."""
    pairs = [pair.partition("=") for text in texts for pair in text.split(",")]
    mapping = {name.strip(): column.strip() for name, _, column in pairs}
    if not all(name and column for name, column in mapping.items()) or len(mapping) < len(pairs):
        raise ConfigurationError(
            "--map must be FIELD=COLUMN,..., with each field once, such as --map trackId=track,timestamp=played_at"
        )
    return mapping or None


def check_first_line(inputs: Input, first_line: int | None) -> None:
    """Refuse ``--from-line`` where it means nothing."""
    if first_line is None:
        return
    if inputs.is_endless:
        raise ConfigurationError("--from-line does not apply with --follow or Kafka")
    if first_line > 1 and not inputs.is_single:
        raise ConfigurationError("--from-line applies to one file; with several files, only --from-line 1 is allowed")


def output_files(inputs: Input, spool: str | None, *others: RejectFile) -> list[Path]:
    """Return the files that a run makes and that may appear among those that it reads."""
    file = file_of(spool) if spool else None
    return [*([file] if file else []), *(each.preferred_path for each in others if inputs.is_followed)]


def _is_kafka(file: str) -> bool:
    return file.lower().startswith(KAFKA_SCHEME)


def _is_pattern(file: str) -> bool:
    return not _is_kafka(file) and glob.has_magic(file) and not os.path.lexists(file)


def _is_regular(file: str) -> bool:
    return file != STANDARD_INPUT and os.path.isfile(file)  # noqa: PTH113 - any text


def _check_readable(file: str) -> None:
    name = "stdin" if file == STANDARD_INPUT else file
    if file == STANDARD_INPUT and sys.stdin is None:
        raise ConfigurationError("cannot read stdin: it is closed")
    try:
        status = os.fstat(0) if file == STANDARD_INPUT else os.stat(file)  # noqa: PTH116 - one call for both
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"cannot read {name}: {reason}") from None
    if stat.S_ISDIR(status.st_mode):
        raise ConfigurationError(f"cannot read {name}: it is a directory")
