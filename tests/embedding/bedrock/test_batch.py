"""What a user of Bedrock batch inference relies on, told to a Bedrock that misbehaves."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fdnix.embedding.backend import Text, Vectors
from fdnix.embedding.bedrock.batch import BatchRun
from fdnix.errors import AwsError, FdnixError, SettingsError, UnfinishedError
from support.batch_texts import Pending, keys, texts
from support.bedrock_server import (
    Outcome,
    corrupted_every,
    duplicated,
    embed,
    shuffled,
    without_every,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from fdnix.settings import Settings
    from support.bedrock_server import BedrockServer
    from support.faulty_proxy import FaultyProxy


class Stored:
    """A run's results, as a caller stores them."""

    def __init__(self) -> None:
        self.vectors: dict[str, np.ndarray] = {}
        self.failures: dict[str, str] = {}

    def run(self, settings: Settings, pending: Pending) -> FdnixError | None:
        """Embed what is not stored, store it, confirm it; the error that the run ended with."""
        run = BatchRun(settings)
        try:
            for part in run.vectors(Text(*item) for item in pending if item[0] not in self.vectors):
                if isinstance(part, Vectors):
                    assert not self.vectors.keys() & set(part.content_hashes), "yielded twice"
                    self.vectors |= zip(part.content_hashes, part.vectors, strict=True)
                else:
                    self.failures[part.content_hash] = part.reason
        except FdnixError as error:
            return error
        try:
            run.confirm()
        except FdnixError as error:
            return error
        return None

    def assert_right(self, pending: Pending) -> None:
        """Every stored vector is the one of its text."""
        right = dict(zip([h for h, _ in pending], embed([t for _, t in pending], 256), strict=True))
        for name, vector in self.vectors.items():
            np.testing.assert_allclose(vector, right[name], atol=1e-6)


def test_every_text_gets_its_vector_and_is_paid_for_once(
    bedrock: BedrockServer, batch_settings: Settings, s3: S3Client, bucket: str
) -> None:
    pending = texts(450)
    stored = Stored()
    assert stored.run(batch_settings.replace(bedrock_batch_size=200), pending) is None
    assert stored.vectors.keys() == {name for name, _ in pending}
    stored.assert_right(pending)
    assert bedrock.calls["CreateModelInvocationJob"] == 2
    assert bedrock.calls["InvokeModel"] == 50
    assert set(bedrock.charged.values()) == {1}
    assert bedrock.charged.keys() == {text for _, text in pending}
    assert keys(s3, bucket) == []


def test_forty_changed_packages_are_asked_for_on_demand_since_bedrock_refuses_small_batches(
    bedrock: BedrockServer, batch_settings: Settings, s3: S3Client, bucket: str
) -> None:
    stored = Stored()
    assert stored.run(batch_settings, texts(40)) is None
    assert len(stored.vectors) == 40
    assert bedrock.calls["CreateModelInvocationJob"] == 0
    assert sum(bedrock.charged.values()) == 40
    assert keys(s3, bucket) == []


def test_nothing_pending_asks_for_nothing(bedrock: BedrockServer, batch_settings: Settings) -> None:
    assert Stored().run(batch_settings, []) is None
    assert sum(bedrock.charged.values()) == 0


@pytest.mark.parametrize("dimensions", [512, 1024])
def test_the_dimensions_asked_for_are_those_got(
    bedrock: BedrockServer, batch_settings: Settings, dimensions: int
) -> None:
    stored = Stored()
    settings = batch_settings.replace(bedrock_output_dimensions=dimensions)
    assert stored.run(settings, texts(120)) is None
    assert {vector.shape for vector in stored.vectors.values()} == {(dimensions,)}


def test_bad_lines_cost_no_good_vector(
    bedrock: BedrockServer, batch_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    pending = texts(300)
    bedrock.faults.bad_in_batch = "package 7"
    rubbish = [b"\n", b"\xff\xfe\n", b"[]\n", b'{"recordId": "other"}\n']
    cut = corrupted_every(11)
    bedrock.faults.edit_lines = lambda lines: shuffled(
        duplicated([*without_every(9)(cut(lines)), *rubbish])
    )
    stored = Stored()
    assert stored.run(batch_settings, pending) is None
    assert len(stored.vectors) == 300
    assert not stored.failures
    stored.assert_right(pending)
    assert set(bedrock.charged.values()) == {1}
    assert "lines for records that were not sent" in caplog.text
    assert "lines that cannot be read" in caplog.text


@pytest.mark.parametrize("what", ["input.jsonl.out", "state.json", r"\.vectors", r"\.hashes"])
def test_an_object_that_arrives_damaged_once_is_asked_for_again(
    bedrock: BedrockServer, proxy: FaultyProxy, batch_settings: Settings, what: str
) -> None:
    Stored().run(batch_settings, texts(130, start=400))
    bedrock.faults.hold = True
    stored = Stored()
    stored.run(batch_settings.replace(bedrock_max_wait_time=0.1), texts(120))
    bedrock.faults.hold = False
    damaged = proxy.fail("corrupt", "GET", what, times=1)
    assert stored.run(batch_settings, texts(120)) is None
    assert damaged.hits == 1
    assert len(stored.vectors) == 120
    stored.assert_right(texts(120))


@pytest.mark.parametrize("answer", [b'{"jobArn": "\xff', b"{", b""])
def test_a_garbled_answer_of_bedrock_is_an_error_and_no_traceback(
    bedrock: BedrockServer,
    batch_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes,
) -> None:
    monkeypatch.setattr(bedrock, "answer", lambda *_: (200, {}, answer))
    error = Stored().run(batch_settings, texts(120))
    assert isinstance(error, AwsError)


def test_what_fails_in_the_batch_and_on_demand_is_a_failure_that_says_why(
    bedrock: BedrockServer, batch_settings: Settings
) -> None:
    pending = texts(120)
    bedrock.faults.bad_in_batch = bedrock.faults.bad_on_demand = "package 77"
    stored = Stored()
    assert stored.run(batch_settings, pending) is None
    assert len(stored.vectors) == 119
    assert stored.failures.keys() == {name for name, text in pending if "package 77" in text}
    assert "could not process" in next(iter(stored.failures.values()))


def test_embeddings_by_type_are_read_where_embedding_is_missing(
    bedrock: BedrockServer, batch_settings: Settings
) -> None:
    bedrock.faults.float_by_type_only = True
    stored = Stored()
    assert stored.run(batch_settings.replace(bedrock_batch_size=100), texts(130)) is None
    stored.assert_right(texts(130))
    assert len(stored.vectors) == 130


def test_the_texts_of_a_failed_job_say_why_and_what_to_do_and_cost_the_others_nothing(
    bedrock: BedrockServer, batch_settings: Settings
) -> None:
    settings = batch_settings.replace(bedrock_batch_size=100)
    said = "The role does not have permission to read the S3 input"
    bedrock.faults.outcomes = deque([Outcome("Failed", said)])
    stored = Stored()
    assert stored.run(settings, texts(200)) is None
    [reason] = set(stored.failures.values())
    assert said in reason
    assert "BEDROCK_ROLE_ARN" in reason
    assert len(stored.vectors) == 100
    assert len(stored.failures) == 100
    # The same records again are a new job, though Bedrock remembers the token of the failed one.
    assert stored.run(settings, texts(200)) is None
    assert len(stored.vectors) == 200
    assert set(bedrock.charged.values()) == {1}


@pytest.mark.parametrize("status", ["Expired", "Stopped"])
def test_what_a_job_did_before_it_ended_early_is_kept(
    bedrock: BedrockServer, batch_settings: Settings, status: str
) -> None:
    bedrock.faults.outcomes = deque([Outcome(status, "ended early", 0.6)])
    stored = Stored()
    assert stored.run(batch_settings, texts(500)) is None
    assert all(f"job {status}: ended early" in why for why in stored.failures.values())
    assert (len(stored.vectors), len(stored.failures)) == (300, 200)
    assert stored.run(batch_settings, texts(500)) is None
    assert len(stored.vectors) == 500
    assert set(bedrock.charged.values()) == {1}


def test_what_a_partly_completed_job_left_out_is_asked_for_on_demand(
    bedrock: BedrockServer, batch_settings: Settings
) -> None:
    bedrock.faults.outcomes = deque([Outcome("PartiallyCompleted", "some failed", 0.9)])
    stored = Stored()
    assert stored.run(batch_settings, texts(200)) is None
    assert len(stored.vectors) == 200
    assert bedrock.calls["InvokeModel"] == 20


def test_past_the_wait_time_the_run_is_unfinished_and_the_next_goes_on(
    bedrock: BedrockServer, batch_settings: Settings
) -> None:
    bedrock.faults.hold = True
    stored = Stored()
    error = stored.run(batch_settings.replace(bedrock_max_wait_time=0.2), texts(150))
    assert isinstance(error, UnfinishedError)
    assert "run again" in str(error)
    bedrock.faults.hold = False
    assert stored.run(batch_settings, texts(150)) is None
    assert len(stored.vectors) == 150
    assert bedrock.calls["CreateModelInvocationJob"] == 1
    assert set(bedrock.charged.values()) == {1}


def test_a_job_under_way_is_not_sent_again_when_more_texts_are_pending(
    bedrock: BedrockServer, batch_settings: Settings
) -> None:
    bedrock.faults.hold = True
    stored = Stored()
    stored.run(batch_settings.replace(bedrock_max_wait_time=0.1), texts(150))
    bedrock.faults.hold = False
    # 20 texts are gone, 130 remain, 140 are new.
    assert stored.run(batch_settings, texts(270, start=20)) is None
    assert stored.vectors.keys() == {name for name, _ in texts(270, start=20)}
    assert set(bedrock.charged.values()) == {1}
    assert sum(bedrock.charged.values()) == 290


def test_the_account_quota_of_jobs_is_waited_out(
    bedrock: BedrockServer, batch_settings: Settings
) -> None:
    bedrock.faults.quota = 1
    stored = Stored()
    assert stored.run(batch_settings.replace(bedrock_batch_size=100), texts(300)) is None
    assert len(stored.vectors) == 300
    assert len(bedrock.jobs) == 3
    assert set(bedrock.charged.values()) == {1}


def test_no_more_jobs_are_under_way_than_the_setting_allows(
    bedrock: BedrockServer, batch_settings: Settings
) -> None:
    most = 0

    def note(_: str) -> None:
        nonlocal most
        most = max(most, len(bedrock.active()))

    bedrock.after = note
    settings = batch_settings.replace(bedrock_batch_size=100, bedrock_max_concurrent_jobs=2)
    assert Stored().run(settings, texts(500)) is None
    assert most == 2


def test_throttling_is_waited_out(bedrock: BedrockServer, batch_settings: Settings) -> None:
    bedrock.faults.throttle = 3
    stored = Stored()
    assert stored.run(batch_settings, texts(30)) is None
    assert len(stored.vectors) == 30
    assert set(bedrock.charged.values()) == {1}


@pytest.mark.parametrize("operation", ["ListModelInvocationJobs", "ListFoundationModels"])
def test_a_missing_list_permission_is_a_warning(
    bedrock: BedrockServer,
    batch_settings: Settings,
    operation: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bedrock.faults.refuse[operation] = ("AccessDeniedException", "not authorized")
    stored = Stored()
    assert stored.run(batch_settings, texts(120)) is None
    assert len(stored.vectors) == 120
    assert f"bedrock:{operation} is denied" in caplog.text


@pytest.mark.parametrize("operation", ["CreateModelInvocationJob", "InvokeModel"])
def test_a_denied_call_that_matters_names_the_permission(
    bedrock: BedrockServer, batch_settings: Settings, operation: str
) -> None:
    said = f"not authorized to perform bedrock:{operation}"
    bedrock.faults.refuse[operation] = ("AccessDeniedException", said)
    error = Stored().run(batch_settings.replace(bedrock_batch_size=100), texts(150))
    assert isinstance(error, AwsError)
    assert said in str(error)
    assert "deploy/iam" in str(error)


def test_a_model_that_the_region_does_not_offer_is_refused_before_anything_is_sent(
    bedrock: BedrockServer, batch_settings: Settings, s3: S3Client, bucket: str
) -> None:
    settings = batch_settings.replace(bedrock_model_id="amazon.titan-embed-text-v9:0")
    error = Stored().run(settings, texts(150))
    assert isinstance(error, AwsError)
    assert "BEDROCK_MODEL_ID" in str(error)
    assert keys(s3, bucket) == []


def test_more_records_than_allowed_are_refused_before_anything_is_sent(
    bedrock: BedrockServer, batch_settings: Settings, s3: S3Client, bucket: str
) -> None:
    error = Stored().run(batch_settings.replace(bedrock_max_records=100), texts(101))
    assert isinstance(error, SettingsError)
    assert "BEDROCK_MAX_RECORDS" in str(error)
    assert keys(s3, bucket) == []
    assert not bedrock.asked


def test_kept_files_are_not_collected_again(
    bedrock: BedrockServer, batch_settings: Settings, s3: S3Client, bucket: str
) -> None:
    settings = batch_settings.replace(bedrock_keep_files=True)
    assert Stored().run(settings, texts(120)) is None
    assert any(key.endswith("input.jsonl.out") for key in keys(s3, bucket))
    stored = Stored()
    assert stored.run(settings, texts(120, start=200)) is None
    assert len(stored.vectors) == 120
    assert set(bedrock.charged.values()) == {1}


@pytest.mark.parametrize(
    "answer",
    [
        ("ConflictException", "The job name is already in use"),
        ("ValidationException", "The provided job name is currently in use."),
    ],
)
def test_a_job_name_that_is_taken_is_passed_over_in_whichever_words_bedrock_says_so(
    bedrock: BedrockServer, batch_settings: Settings, answer: tuple[str, str]
) -> None:
    Stored().run(batch_settings, texts(120))
    bedrock.faults.forget_tokens = True
    bedrock.faults.name_taken = answer
    stored = Stored()
    rebuild = batch_settings.replace(force_rebuild_embeddings=True)
    assert stored.run(rebuild, texts(120)) is None
    assert len(stored.vectors) == 120


def test_another_refusal_of_the_request_is_an_error(
    bedrock: BedrockServer, batch_settings: Settings
) -> None:
    said = ("ValidationException", "The provided model identifier is invalid.")
    bedrock.faults.refuse["CreateModelInvocationJob"] = said
    error = Stored().run(batch_settings, texts(120))
    assert isinstance(error, AwsError)
    assert said[1] in str(error)


@pytest.mark.parametrize("forget", [False, True])
def test_the_same_texts_are_embedded_anew_where_that_is_asked_for(
    bedrock: BedrockServer, batch_settings: Settings, *, forget: bool
) -> None:
    Stored().run(batch_settings, texts(120))
    bedrock.faults.forget_tokens = forget
    stored = Stored()
    rebuild = batch_settings.replace(force_rebuild_embeddings=True)
    assert stored.run(rebuild, texts(120)) is None
    assert len(stored.vectors) == 120
    assert set(bedrock.charged.values()) == {2}


def test_other_settings_find_the_output_bucket(
    bedrock: BedrockServer, batch_settings: Settings, s3: S3Client, bucket: str
) -> None:
    other = f"{bucket}-out"
    s3.create_bucket(Bucket=other)
    stored = Stored()
    assert stored.run(batch_settings.replace(bedrock_output_bucket=other), texts(120)) is None
    assert len(stored.vectors) == 120
    assert keys(s3, bucket) == keys(s3, other) == []


def test_missing_settings_are_named(batch_settings: Settings) -> None:
    with pytest.raises(SettingsError, match="BEDROCK_ROLE_ARN"):
        BatchRun(batch_settings.replace(bedrock_role_arn=None))
    with pytest.raises(SettingsError, match="ARTIFACTS_BUCKET"):
        BatchRun(batch_settings.replace(artifacts_bucket=None))


def test_a_state_that_cannot_be_read_stops_the_run_before_anything_is_sent(
    bedrock: BedrockServer, batch_settings: Settings, s3: S3Client, bucket: str
) -> None:
    bedrock.faults.hold = True
    stored = Stored()
    stored.run(batch_settings.replace(bedrock_max_wait_time=0.1), texts(120))
    [state] = [key for key in keys(s3, bucket) if key.endswith("state.json")]
    s3.put_object(Bucket=bucket, Key=state, Body=b"{")
    error = stored.run(batch_settings, texts(120))
    assert isinstance(error, AwsError)
    assert state in str(error)
    assert bedrock.calls["CreateModelInvocationJob"] == 1


def test_a_job_whose_state_is_gone_is_found_in_the_list_of_jobs(
    bedrock: BedrockServer, batch_settings: Settings, s3: S3Client, bucket: str
) -> None:
    bedrock.faults.hold = True
    stored = Stored()
    stored.run(batch_settings.replace(bedrock_max_wait_time=0.1), texts(120))
    [state] = [key for key in keys(s3, bucket) if key.endswith("state.json")]
    s3.delete_object(Bucket=bucket, Key=state)
    bedrock.faults.hold = False
    assert stored.run(batch_settings, texts(120)) is None
    assert len(stored.vectors) == 120
    assert bedrock.calls["CreateModelInvocationJob"] == 1
    assert keys(s3, bucket) == []
