"""What SQLite can do, said to SQLAlchemy's suite as SQLAlchemy's own tree says it.

Rows instead of a property each: the names are those of test/requirements.py in SQLAlchemy's
source. Only differences to ``SuiteRequirements`` stand here; any SQLite driver gets the same.
"""

from functools import partial

from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

# Off in SuiteRequirements, on for SQLite.
SUPPORTED = """
    autocommit isolation_level skip_autocommit_rollback dbapi_lastrowid savepoints
    check_constraint_reflection inline_check_constraint_reflection
    foreign_key_constraint_name_reflection
    foreign_key_constraint_option_reflection_ondelete
    foreign_key_constraint_option_reflection_onupdate
    fk_constraint_option_reflection_ondelete_noaction
    fk_constraint_option_reflection_ondelete_restrict
    fk_constraint_option_reflection_onupdate_restrict
    reflects_pk_names indexes_check_column_order indexes_with_expressions
    repeated_column_foreign_keys repeated_remote_col_foreign_keys
    view_column_reflection view_reflection views
    computed_columns computed_columns_stored computed_columns_virtual
    computed_columns_reflect_persisted
    create_table_as create_temp_table_as index_ddl_if_exists table_ddl_if_exists unicode_ddl
    percent_schema_names expression_server_defaults server_defaults nvarchar_types
    ctes ctes_with_values update_from tuple_in tuple_in_w_empty
    window_functions window_range window_range_numeric
    fetch_expression fetch_offset_with_options regexp_match
    supports_bitwise_and supports_bitwise_not supports_bitwise_or supports_bitwise_shift
    supports_bitwise_xor
    json_type json_array_indexes legacy_unconditional_json_extract
    date_historic datetime_historic datetime_literals
    infinity_floats float_or_double_precision_behaves_generically
    precision_numerics_retains_significant_digits
"""

# Skipped: the suite does not try.
UNSUPPORTED = {
    "foreign_keys": "SQLite enforces them only after PRAGMA foreign_keys",
    "implicitly_named_constraints": "SQLite gives no names",
    "independent_connections": "one writer at a time",
    "json_index_supplementary_unicode_element": "https://bugs.python.org/issue38749",
}
# Tried: a success would be an error.
FAILING = {
    "parens_in_union_contained_select_w_limit_offset": "no parentheses in a UNION",
    "parens_in_union_contained_select_wo_limit_offset": "no parentheses in a UNION",
    "precision_numerics_many_significant_digits": "numbers have about 15 digits",
    "cast_precision_numerics_many_significant_digits": "numbers have about 15 digits",
}
# SQLAlchemy's tree keeps these off file databases.
MEMORY_ONLY = """
    has_temp_table temp_table_names temporary_views
    temp_table_reflection temp_table_reflect_indexes
"""
FILE_ONLY = ("independent_readonly_connections",)
# Later than SQLAlchemy 2.0.40.
RECENT = ("reflect_table_options",)


def in_file(config):
    """Whether the suite runs on a file."""
    return config.db.dialect._is_url_file_db(config.db.url)


def in_memory(config):
    """Whether the suite runs in memory."""
    return not in_file(config)


def reflects_options(config):
    """Whether SQLAlchemy's SQLite dialect reflects options such as STRICT."""
    return "get_table_options" in vars(SQLiteDialect)


def _rules():
    for name in SUPPORTED.split():
        yield name, exclusions.open
    for name, reason in UNSUPPORTED.items():
        yield name, partial(exclusions.skip_if, exclusions.BooleanPredicate(True, reason))
    for name, reason in FAILING.items():
        yield name, partial(exclusions.fails, reason)
    for name in MEMORY_ONLY.split():
        yield name, partial(exclusions.skip_if, in_file, "database in a file")
    for name in FILE_ONLY:
        yield name, partial(exclusions.skip_if, in_memory, "database in memory")
    for name in RECENT:
        yield name, partial(exclusions.only_if, reflects_options, "older SQLAlchemy")


def _requirement(rule):
    # A new one at every access: the suite's decorators add to what they are given.
    return property(lambda _self: rule())


Requirements = type(
    "Requirements",
    (SuiteRequirements,),
    {
        **{name: _requirement(rule) for name, rule in _rules()},
        "get_order_by_collation": lambda _self, _config: "NOCASE",
    },
)
