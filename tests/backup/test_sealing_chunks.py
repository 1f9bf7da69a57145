"""Encrypted backups: what goes in comes out, for those it was meant for, or not at all."""

from __future__ import annotations

import io
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

import dsfactory as ds
from dsfactory.backup.sealing.age import Opener, Seal

BLOCK = 64 * 1024  # what age seals at once
CHUNK = 1024 * 1024  # what we pass on at once

ALICE = pyrage.x25519.Identity.generate()
BOB = pyrage.x25519.Identity.generate()
SEAL = Seal([str(ALICE.to_public())])
OPENER = Opener(str(ALICE))

PLAIN = bytes(range(256)) * 1024  # four blocks
SEALED = b"".join(SEAL.sealed([PLAIN]))
HEADER = SEALED.index(b"\n--- ") + len("\n--- ") + 43 + 1

BORDERS = [
    multiple * size + off
    for size in (BLOCK, CHUNK)
    for multiple in (0, 1, 2)
    for off in (-1, 0, 1)
    if multiple * size + off >= 0
]


def opened(sealed: bytes, opener: Opener = OPENER) -> bytes:
    with opener.opened(io.BytesIO(sealed), "backup b1") as file:
        return file.read()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


class TestRoundTrips:
    @pytest.mark.parametrize("size", BORDERS)
    def test_borders(self, size: int) -> None:
        """Sizes around the blocks of age and our own come back."""
        data = b"d" * size
        assert opened(b"".join(SEAL.sealed(pieces(data, 300_007)))) == data

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.integers(0, 3 * BLOCK), max_size=6),
        st.integers(1, 2 * BLOCK),
    )
    def test_any_chunks(self, sizes: list[int], read: int) -> None:
        """However it is cut before, empty pieces too, and read after: the same comes out."""
        chunks = [bytes([n + 1]) * size for n, size in enumerate(sizes)]
        sealed = b"".join(SEAL.sealed(chunks))
        with OPENER.opened(io.BytesIO(sealed), "b1") as file:
            assert b"".join(iter(lambda: file.read(read), b"")) == b"".join(chunks)

    def test_the_format_is_age(self) -> None:
        """Other programs of the format open ours, and we open theirs."""
        assert pyrage.decrypt(SEALED, [ALICE]) == PLAIN
        assert opened(pyrage.encrypt(PLAIN, [ALICE.to_public()])) == PLAIN

    def test_nothing_repeats(self) -> None:
        """Sealed twice, the same looks different; nothing of it shows."""
        again = b"".join(SEAL.sealed([PLAIN]))
        assert again[HEADER:] != SEALED[HEADER:]
        assert PLAIN[:32] not in SEALED

    def test_many_recipients(self) -> None:
        """Each of many opens it alone."""
        crowd = [pyrage.x25519.Identity.generate() for _ in range(40)]
        sealed = b"".join(Seal([str(one.to_public()) for one in crowd]).sealed([b"secret"]))
        for one in (crowd[0], crowd[20], crowd[-1]):
            assert opened(sealed, Opener(str(one))) == b"secret"
        with pytest.raises(ds.BackupSealedError):
            opened(sealed)


class TestDamage:
    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, len(SEALED) * 8 - 1))
    def test_bit_flips(self, bit: int) -> None:
        """A flipped bit anywhere is an error, never another content."""
        self._refused(flipped(bit))

    def test_bit_flips_in_front(self) -> None:
        """So it is at every place of the header, of the nonce and of the first block's front."""
        for at in range(HEADER + 34):
            self._refused(flipped(at * 8 + at % 8))

    @pytest.mark.parametrize(
        ("origin", "offset"),
        [
            ("start", 0),
            ("start", 1),
            ("start", 21),
            ("header's end", -60),
            ("header's end", -1),
            ("header's end", 0),
            ("header's end", 15),
            ("header's end", 16),  # behind the nonce
            ("header's end", 17),
            ("header's end", 16 + BLOCK + 15),
            ("header's end", 16 + BLOCK + 16),  # whole blocks, but the last one is missing
            ("header's end", 16 + 3 * (BLOCK + 16)),
            ("end", -17),
            ("end", -16),
            ("end", -1),
        ],
    )
    def test_truncation(self, origin: str, offset: int) -> None:
        """Cut anywhere, between two blocks too, it is damaged."""
        length = {"start": 0, "header's end": HEADER, "end": len(SEALED)}[origin] + offset
        with pytest.raises(ds.BackupDamagedError, match="backup b1"):
            opened(SEALED[:length])

    @pytest.mark.parametrize("more", [b"\0", b"x" * (BLOCK + 16)])
    def test_appended(self, more: bytes) -> None:
        """So it is when something was appended."""
        self._refused(SEALED + more)

    @pytest.mark.parametrize("data", [b"plain text\n", b"\x28\xb5\x2f\xfd" + b"\0" * 100])
    def test_not_sealed(self, data: bytes) -> None:
        """What was never encrypted is not passed through."""
        self._refused(data)

    def test_swapped_blocks(self) -> None:
        """Blocks in another order are no content."""
        start = HEADER + 16
        first, second = SEALED[start:][: BLOCK + 16], SEALED[start + BLOCK + 16 :][: BLOCK + 16]
        self._refused(SEALED[:start] + second + first + SEALED[start + 2 * (BLOCK + 16) :])

    def test_good_bytes_before(self) -> None:
        """What comes out before the damage is what was written."""
        sealed = b"".join(SEAL.sealed([PLAIN] * 12))
        with OPENER.opened(io.BytesIO(sealed[:-1]), "b1") as file:
            assert file.read(CHUNK) == PLAIN * 4
            with pytest.raises(ds.BackupDamagedError):
                file.read()

    def _refused(self, sealed: bytes) -> None:
        # In the header, damage can look as if it were for somebody else.
        with pytest.raises((ds.BackupDamagedError, ds.BackupSealedError)) as caught:
            opened(sealed)
        assert caught.value.facts == {"backup": "backup b1"}


def flipped(bit: int) -> bytes:
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class TestChains:
    def test_errors_of_the_chunks(self) -> None:
        """What the chunks raise comes out as it is, and the worker ends."""

        def chunks() -> Iterator[bytes]:
            yield b"x" * CHUNK
            raise error

        error = ZeroDivisionError("mine")
        with pytest.raises(ZeroDivisionError) as caught:
            list(SEAL.sealed(chunks()))
        assert caught.value is error
        assert not workers()

    def test_errors_of_the_file(self) -> None:
        """So does what the file raises."""

        class Broken(io.BytesIO):
            def read(self, _size: int | None = -1, /) -> bytes:
                raise error

        error = ds.BackupPlaceError("out of reach")
        with pytest.raises(ds.BackupPlaceError) as caught, OPENER.opened(Broken(), "b1") as file:
            file.read()
        assert caught.value is error
        assert not workers()

    def test_left_early(self) -> None:
        """Who stops reading leaves no thread behind."""
        with OPENER.opened(io.BytesIO(SEALED), "b1") as file:
            assert file.read(10) == PLAIN[:10]
        chain = SEAL.sealed(pieces(PLAIN * 20, 1000))
        next(chain)
        chain.close()  # type: ignore[attr-defined]
        assert not workers()

    def test_the_callers_thread(self) -> None:
        """The chunks are made on the thread that asks for the sealed ones."""
        threads = set()

        def chunks() -> Iterator[bytes]:
            for _ in range(5):
                threads.add(threading.get_ident())
                yield b"x" * CHUNK

        for _ in SEAL.sealed(chunks()):
            pass
        assert threads == {threading.get_ident()}

    def test_nothing_piles_up(self) -> None:
        """However slow the reader is, no more than three chunks are on their way."""
        made = read = 0

        def chunks() -> Iterator[bytes]:
            nonlocal made
            for _ in range(30):
                made += CHUNK
                yield b"x" * CHUNK

        for chunk in SEAL.sealed(chunks()):
            read += len(chunk)
            assert made - read <= 3 * CHUNK

    def test_one_thread_each(self) -> None:
        """Many can be open at once, in one chain as well."""
        twice = Seal([str(BOB.to_public())]).sealed(SEAL.sealed([PLAIN]))
        with (
            Opener(str(BOB)).opened(io.BytesIO(b"".join(twice)), "outer") as outer,
            OPENER.opened(outer, "inner") as inner,
        ):
            assert inner.read() == PLAIN
        assert not workers()


def workers() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name in ("dsfactory-seal", "dsfactory-open")]


class TestRecipients:
    @pytest.mark.parametrize(
        "recipients",
        [
            [],
            [""],
            ["age1"],
            [str(ALICE.to_public())[:-1]],
            [str(ALICE.to_public()), "bob"],
            ["ssh-ed25519 AAAA"],
            [str(ALICE)],
        ],
    )
    def test_refused(self, recipients: list[str]) -> None:
        """What is no public key is refused at once; a secret pasted there is not repeated."""
        with pytest.raises(ds.OptionError, match="backup_recipients") as caught:
            Seal(recipients)
        assert str(ALICE)[10:30] not in str(caught.value)

    @pytest.mark.parametrize(
        "recipients",
        [str(ALICE.to_public()), None, [3], {"age1": 1}],
        ids=["text", "nothing", "number", "mapping"],
    )
    def test_refused_types(self, recipients: Any) -> None:
        """A single text is not taken for a list of letters."""
        with pytest.raises(ds.OptionTypeError):
            Seal(recipients)

    def test_spaces_around(self) -> None:
        """A line end behind a key does not matter."""
        Seal([f" {ALICE.to_public()}\n"])


P256 = ec.SECP256R1()


def openssh(key: Any) -> tuple[str, str]:
    """The private and the public half as ssh-keygen writes them."""
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return private.decode(), public.decode()


class TestIdentities:
    def test_file(self, tmp_path: Path) -> None:
        """A file as age-keygen writes it; any of its keys opens. It is read when it is needed."""
        file = tmp_path / "key.txt"
        opener = Opener(file)
        with pytest.raises(ds.OptionError, match="backup_identity"):
            opened(SEALED, opener)
        file.write_text(f"# created: 2026-11-22\r\n# public key: x\r\n\r\n{BOB}\r\n{ALICE}\r\n")
        assert opened(SEALED, opener) == opened(SEALED, Opener(str(file))) == PLAIN

    @pytest.mark.parametrize("kind", ["ed25519", "rsa"])
    def test_ssh_keys(self, kind: str, tmp_path: Path) -> None:
        """SSH keys serve as well."""
        key = (
            ed25519.Ed25519PrivateKey.generate()
            if kind == "ed25519"
            else rsa.generate_private_key(65537, 2048)
        )
        private, public = openssh(key)
        (tmp_path / "id").write_text(private)
        sealed = b"".join(Seal([f"{public} me@host"]).sealed([PLAIN]))
        assert opened(sealed, Opener(tmp_path / "id")) == opened(sealed, Opener(private)) == PLAIN

    def test_ssh_key_of_another_kind(self) -> None:
        """One that the format does not know is refused."""
        with pytest.raises(ds.OptionError, match="backup_identity"):
            Opener(openssh(ec.generate_private_key(P256))[0])

    @pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
    def test_ssh_key_with_a_passphrase(self, tmp_path: Path) -> None:
        """One that only somebody present could unlock is refused."""
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "word", "-f", str(tmp_path / "id")]
        subprocess.run(make, check=True)
        with pytest.raises(ds.OptionError, match="without a passphrase"):
            opened(SEALED, Opener(tmp_path / "id"))

    @pytest.mark.parametrize(
        "stored",
        [
            b"",
            b"# only a comment\n",
            b"\xff\xfe",
            b"age1xyz",
            b"AGE-SECRET-KEY-1QQQQ",
            b"x" * 99999,
        ],
    )
    def test_bad_files(self, stored: bytes, tmp_path: Path) -> None:
        """A file without an identity is refused; nothing of it is shown."""
        (tmp_path / "key").write_bytes(stored)
        with pytest.raises(ds.OptionError, match="backup_identity") as caught:
            opened(SEALED, Opener(tmp_path / "key"))
        assert "QQQQ" not in str(caught.value)

    def test_damaged_text(self) -> None:
        """A key that was mistyped is refused when it is given, and not repeated."""
        text = str(ALICE)[:-1]
        for given_text in (text, f" {text}\n", text.lower()):
            with pytest.raises(ds.OptionError) as caught:
                Opener(given_text)
            assert text[16:].casefold() not in str(caught.value).casefold()

    def test_no_repr(self) -> None:
        """The key is in no repr."""
        assert str(ALICE)[16:40] not in repr(OPENER) + str(vars(OPENER))

    @pytest.mark.parametrize("identity", ["", None, 3, b"AGE-SECRET-KEY-1"])
    def test_refused_types(self, identity: Any) -> None:
        """Neither a path nor a text."""
        with pytest.raises(ds.OptionError):
            Opener(identity)

    def test_wrong_identity(self) -> None:
        """Somebody else's key opens nothing, and the error says that it is the key."""
        with pytest.raises(ds.BackupSealedError, match="not for this identity"):
            opened(SEALED, Opener(str(BOB)))
