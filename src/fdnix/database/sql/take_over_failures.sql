-- Failures of the texts that some package still has, out of an attached full database.
INSERT INTO embedding_failures
SELECT content_hash, reason, attempts, last_attempt_at
FROM previous.embedding_failures
SEMI JOIN packages USING (content_hash);
