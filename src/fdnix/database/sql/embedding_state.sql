WITH texts AS (SELECT DISTINCT content_hash FROM packages)
SELECT
    (SELECT count(*) FROM texts) AS texts,
    (SELECT count(*) FROM embeddings) AS stored,
    (SELECT count(*) FROM embeddings SEMI JOIN texts USING (content_hash)) AS kept;
