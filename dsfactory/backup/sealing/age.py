"""Encrypted backups: the format age (age-encryption.org/v1, by C2SP), through the library pyrage.

Written for recipients, whose public keys suffice; read with an identity. What is sealed is
compressed before, and only ciphertext reaches a place. age says that nothing was changed, not who
wrote it: whoever may write to a place can put another backup there, sealed for the same recipients.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

from dsfactory.backup.places.place import CHUNK_BYTES
from dsfactory.backup.sealing.turns import Sink, Source, worked
from dsfactory.errors import (
    BackupDamagedError,
    BackupError,
    BackupSealedError,
    OptionError,
    OptionTypeError,
    UnfitEnvironmentError,
)

if TYPE_CHECKING:
    from pyrage import ssh, x25519

    Recipient: TypeAlias = x25519.Recipient | ssh.Recipient
    Identity: TypeAlias = x25519.Identity | ssh.Identity

METHOD = "age"
"""What a manifest says of a sealed payload."""

SUFFIX = ".age"

RECIPIENTS = "backup_recipients"
IDENTITY = "backup_identity"

LARGEST_IDENTITY = 64 * 1024
"""Bytes of an identity file; some hold a dozen keys of a hundred bytes."""

_SSH = ("ssh-ed25519 ", "ssh-rsa ")
_AGE_IDENTITY = "AGE-SECRET-KEY-1"
_PRIVATE_KEY = "-----BEGIN"


class Seal:
    """Encrypts for *recipients*: "age1..." or the public half of an SSH key (Ed25519, RSA)."""

    def __init__(self, recipients: Sequence[str]) -> None:
        """Raise OptionError for what is no recipient, UnfitEnvironmentError without pyrage."""
        if isinstance(recipients, str) or not isinstance(recipients, Sequence):
            raise OptionTypeError(
                f"{RECIPIENTS} is a list of texts, each of them a public key.", option=RECIPIENTS
            )
        if not recipients:
            raise OptionError(f"{RECIPIENTS} names nobody.", option=RECIPIENTS)
        self._recipients = [_recipient(text, n) for n, text in enumerate(recipients, start=1)]

    def sealed(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield *chunks* encrypted, as one file in the format age."""
        pyrage = _pyrage()

        def encrypt(source: Source, sink: Sink) -> None:
            try:
                pyrage.encrypt_io(source, sink, self._recipients)
            except pyrage.EncryptError as error:
                raise BackupError("The backup could not be encrypted; none was kept.") from error

        return worked(encrypt, chunks, "dsfactory-seal")


class Opener:
    """Decrypts with an identity: the path of a file that age-keygen or ssh-keygen made, or its
    text.
    """

    def __init__(self, identity: str | os.PathLike[str]) -> None:
        """Raise OptionError for a text that is no identity, UnfitEnvironmentError without pyrage.

        A file is read whenever a backup is opened: it need not be there before.
        """
        _pyrage()
        self._path: Path | None = None
        self._identities: list[Identity] = []
        if isinstance(identity, str) and _is_secret(identity):
            self._identities = _identities(identity)
        elif isinstance(identity, (str, os.PathLike)) and os.fspath(identity):
            self._path = Path(identity).expanduser().absolute()
        else:
            raise OptionTypeError(f"{IDENTITY} is the path of an identity file.", option=IDENTITY)

    @contextlib.contextmanager
    def opened(self, file: BinaryIO, name: str) -> Iterator[BinaryIO]:
        """Yield what was sealed in *file*, as a file for reading; *name* is what errors call it.

        Every byte that comes out is what was sealed. Whether all came is known at the end:
        BackupDamagedError when it was changed or cut, BackupSealedError when the identity is not
        one of its recipients.
        """
        pyrage = _pyrage()
        identities = self._identities if self._path is None else _from_file(self._path)

        def decrypt(source: Source, sink: Sink) -> None:
            try:
                pyrage.decrypt_io(source, sink, identities)
            except (pyrage.DecryptError, OSError) as error:
                raise _unopened(error, name) from error

        sealed = iter(lambda: file.read(CHUNK_BYTES), b"")
        with contextlib.closing(worked(decrypt, sealed, "dsfactory-open")) as chunks:
            yield cast("BinaryIO", io.BufferedReader(_ChunkFile(chunks), CHUNK_BYTES))


class _ChunkFile(io.RawIOBase):
    """Chunks as a file, for those who read files."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill *buffer* as far as the chunk at hand reaches; 0 at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _recipient(text: object, number: int) -> Recipient:
    pyrage = _pyrage()
    if not isinstance(text, str):
        raise OptionTypeError(f"{RECIPIENTS}: number {number} is no text.", option=RECIPIENTS)
    key = text.strip()
    kind = pyrage.ssh if key.startswith(_SSH) else pyrage.x25519
    try:
        recipient: Recipient = kind.Recipient.from_str(key)
    except pyrage.RecipientError:
        # Not repeated: it may be the secret half, pasted by mistake.
        raise OptionError(
            f"{RECIPIENTS}: number {number} is no public key; allowed: age1..., ssh-ed25519 ..., "
            "ssh-rsa ...",
            option=RECIPIENTS,
        ) from None
    return recipient


def _is_secret(text: str) -> bool:
    return _AGE_IDENTITY in text.upper() or _PRIVATE_KEY in text


def _from_file(path: Path) -> list[Identity]:
    try:
        with path.open("rb") as file:
            stored = file.read(LARGEST_IDENTITY)
        return _identities(stored.decode())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
    raise OptionError(
        f"The identity file that {IDENTITY} names cannot be read: {reason}.", option=IDENTITY
    )


def _identities(text: str) -> list[Identity]:
    """Return the identities in *text*; its words are in no message."""
    pyrage = _pyrage()
    try:
        if _PRIVATE_KEY in text:
            return [pyrage.ssh.Identity.from_buffer(text.encode())]
        lines = [line.strip() for line in text.splitlines()]
        found: list[Identity] = [
            pyrage.x25519.Identity.from_str(line) for line in lines if line and line[0] != "#"
        ]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise OptionError(
            f"{IDENTITY} holds no identity that can be used; allowed: AGE-SECRET-KEY-1..., one a "
            "line, or an OpenSSH private key (Ed25519, RSA) without a passphrase.",
            option=IDENTITY,
        )
    return found


def _unopened(error: Exception, name: str) -> BackupError:
    if "No matching keys" in str(error):
        return BackupSealedError(
            f"{name} is encrypted, and not for this identity. Give the identity of one of those "
            "that it was encrypted for.",
            backup=name,
        )
    return BackupDamagedError(
        f"{name} cannot be decrypted: it was changed or cut short. Use another backup.",
        backup=name,
    )


def _pyrage() -> Any:
    try:
        import pyrage
    except ImportError as error:
        raise UnfitEnvironmentError(
            "Encrypted backups need the library pyrage, which is not installed. Run "
            "pip install 'dsfactory[encrypt]'."
        ) from error
    return pyrage
