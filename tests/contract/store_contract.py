"""What all five kinds of store promise: class TestCacheStore(StoreContract): kind = "cache"."""

from __future__ import annotations

from contract.batch_contract import BatchContract
from contract.check_contract import CheckContract
from contract.hook_contract import HookContract
from contract.key_contract import KeyContract
from contract.lifetime_contract import LifetimeContract
from contract.many_contract import ManyContract
from contract.mapping_contract import MappingContract
from contract.metrics_contract import MetricsContract
from contract.refusal_contract import RefusalContract
from contract.scan_contract import ScanContract
from contract.tag_contract import TagContract
from contract.transaction_contract import TransactionContract
from contract.version_contract import VersionContract


class StoreContract(
    MappingContract,
    KeyContract,
    VersionContract,
    ManyContract,
    BatchContract,
    ScanContract,
    TransactionContract,
    RefusalContract,
    HookContract,
    MetricsContract,
    TagContract,
    CheckContract,
    LifetimeContract,
):
    """Every part of the contract; a test class that inherits it names its kind."""
