-- Vectors of the texts that some package still has, out of an attached full database,
-- in the order of the packages: see pending_texts.sql.
INSERT INTO embeddings
SELECT content_hash, vector, head
FROM previous.embeddings
JOIN (SELECT content_hash, min(package_id) AS package_id FROM packages GROUP BY content_hash)
    USING (content_hash)
ORDER BY package_id;
