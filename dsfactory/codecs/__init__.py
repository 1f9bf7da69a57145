"""Values to bytes and back: JSON, MessagePack, raw; zstd and its dictionaries.

The only room that knows msgspec and zstandard, and it imports each of them (and pydantic) only when
it is needed. It does no I/O. See DESIGN.md beside this file.
"""

from dsfactory.codecs.codec import Codec
from dsfactory.codecs.formats import codec_for
from dsfactory.codecs.packing import Packer
from dsfactory.codecs.training import Dictionary, train_dictionary
from dsfactory.codecs.unchangeable import is_unchangeable

__all__ = ["Codec", "Dictionary", "Packer", "codec_for", "is_unchangeable", "train_dictionary"]
