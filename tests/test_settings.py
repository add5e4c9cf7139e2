from __future__ import annotations

from pathlib import Path

import pytest

from fdnix.errors import SettingsError
from fdnix.settings import load_settings


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = load_settings({})
    assert settings.processing_mode == "both"
    assert settings.output_path == Path("/out/fdnix-data.duckdb")
    assert settings.output_minified_path == Path("/out/fdnix.duckdb")
    assert settings.embedding_path == settings.output_path
    assert (settings.vss_hnsw_m, settings.vss_ef_construction, settings.vss_ef_search) == (
        16,
        80,
        200,
    )
    assert (settings.fts_stopwords, settings.fts_stemmer) == ("english", "english")
    assert settings.fts_index_name == "packages_fts_idx"
    assert settings.minified_max_bytes is None
    assert settings.layer_function_bytes == 67_000_000
    assert settings.provider == "local"


def test_every_bad_value_is_named_at_once_with_what_was_given_and_what_is_accepted() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(
            {
                "PROCESSING_MODE": "fast",
                "VSS_HNSW_M": "many",
                "FTS_STEMMER": "klingon",
                "NIXPKGS_SOURCE": "/no/such/file.json",
                "NIXPKGS_TREE": "/no/such/nixpkgs",
            }
        )
    message = str(caught.value)
    assert "NIXPKGS_TREE: '/no/such/nixpkgs' is not accepted; expected auto (the" in message
    assert "PROCESSING_MODE: 'fast' is not accepted; expected metadata, embedding" in message
    assert "VSS_HNSW_M: 'many' is not accepted; expected a whole number from 2 to 512" in message
    assert "FTS_STEMMER: 'klingon'" in message
    assert "NIXPKGS_SOURCE: '/no/such/file.json'" in message


def test_the_removed_variable_is_an_error_that_names_its_successors() -> None:
    with pytest.raises(SettingsError, match="DUCKDB_KEY was removed") as caught:
        load_settings({"DUCKDB_KEY": "x", "VSS_EF_SEARCH": "0"})
    assert "DUCKDB_DATA_KEY" in str(caught.value)
    assert "DUCKDB_MINIFIED_KEY" in str(caught.value)
    assert "VSS_EF_SEARCH" in str(caught.value)


def test_an_override_wins_over_the_environment_and_none_leaves_it() -> None:
    settings = load_settings(
        {"VSS_HNSW_M": "24", "OUTPUT_PATH": "/a"}, vss_hnsw_m=None, output_path=Path("/b")
    )
    assert settings.vss_hnsw_m == 24
    assert settings.output_path == Path("/b")


def test_full_is_the_same_as_both() -> None:
    full = load_settings({"PROCESSING_MODE": "full"})
    assert full.phases == load_settings({}).phases == ("metadata", "embedding", "minified")
    assert load_settings({"PROCESSING_MODE": "minified"}).phases == ("minified",)


def test_the_provider_is_bedrock_as_soon_as_a_role_is_given_unless_told_otherwise() -> None:
    role = {
        "BEDROCK_ROLE_ARN": "arn:aws:iam::123456789012:role/fdnix-bedrock",
        "AWS_REGION": "eu-central-1",
        "BEDROCK_INPUT_BUCKET": "fdnix-bedrock",
        "BEDROCK_OUTPUT_BUCKET": "fdnix-bedrock",
    }
    assert load_settings(role).provider == "bedrock"
    assert load_settings(role | {"EMBEDDING_PROVIDER": "local"}).provider == "local"


def test_an_empty_variable_counts_as_unset_but_disables_stemming_and_stopwords() -> None:
    settings = load_settings(
        {"AWS_REGION": "", "OUTPUT_PATH": "", "FTS_STEMMER": "", "FTS_STOPWORDS": ""}
    )
    assert settings.aws_region is None
    assert settings.output_path == Path("/out/fdnix-data.duckdb")
    assert (settings.fts_stemmer, settings.fts_stopwords) == ("none", "none")


@pytest.mark.parametrize("word", ["true", "1", "yes", "True"])
def test_a_flag_takes_the_usual_words(word: str) -> None:
    assert load_settings({"FORCE_METADATA": word}).force_metadata is True


def test_a_dimension_the_model_does_not_have_is_refused() -> None:
    assert load_settings({"BEDROCK_OUTPUT_DIMENSIONS": "512"}).bedrock_output_dimensions == 512
    with pytest.raises(SettingsError, match="256, 512 or 1024"):
        load_settings({"BEDROCK_OUTPUT_DIMENSIONS": "300"})


def test_a_run_does_not_write_one_full_database_and_go_on_with_another() -> None:
    other = {"OUTPUT_PATH": "/out/a.duckdb", "DUCKDB_PATH": "/out/b.duckdb"}
    with pytest.raises(SettingsError, match=r"DUCKDB_PATH: '/out/b[.]duckdb' is not OUTPUT_PATH"):
        load_settings(other)
    assert load_settings(other | {"DUCKDB_PATH": "/out/../out/a.duckdb"})
    embedding = load_settings(other | {"PROCESSING_MODE": "embedding"})
    assert embedding.embedding_path == Path("/out/b.duckdb")


@pytest.mark.parametrize("value", ["inf", "1e18", "nan", "0", "-1"])
@pytest.mark.parametrize("name", ["NIXPKGS_TIMEOUT", "BEDROCK_POLL_INTERVAL"])
def test_a_wait_without_end_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: .*at most a year"):
        load_settings({name: value})


@pytest.mark.parametrize(
    "url",
    [
        "https://ada:hunter2@channels.example/x?y",
        "https://channels.example?token=hunter2",
        "ftp://ada:hunter2@channels.example",
    ],
)
def test_an_address_that_is_refused_is_not_shown_where_it_may_hold_a_password(url: str) -> None:
    with pytest.raises(SettingsError, match="NIXPKGS_CHANNEL_URL: the address") as refusal:
        load_settings({"NIXPKGS_CHANNEL_URL": url})
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "public"),
    [
        ("https://ada:hunter2@channels.example/a@b", "https://channels.example/a@b"),
        ("https://ada@channels.example", "https://channels.example"),
        ("https://channels.example/nix", "https://channels.example/nix"),
    ],
)
def test_a_channels_address_is_public_without_its_password(given: str, public: str) -> None:
    assert load_settings({"NIXPKGS_CHANNEL_URL": given}).public_channel_url == public


@pytest.mark.parametrize("name", ["fdnix_rank", "FDNIX_SEARCH", "1st", "a b"])
def test_the_full_text_index_takes_no_name_of_a_macro_of_the_ranking(name: str) -> None:
    with pytest.raises(SettingsError, match="FTS_INDEX_NAME"):
        load_settings({"FTS_INDEX_NAME": name})
