-- A text that has a vector by now is no failure any more.
DELETE FROM embedding_failures WHERE content_hash IN (SELECT content_hash FROM embeddings);

INSERT INTO embedding_failures
SELECT content_hash, reason, 1, now() FROM arrow
ON CONFLICT (content_hash) DO UPDATE
SET reason = excluded.reason, attempts = attempts + 1, last_attempt_at = excluded.last_attempt_at;
