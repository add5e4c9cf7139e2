-- In the order of the packages: see pending_texts.sql.
INSERT INTO embeddings
SELECT content_hash, vector
FROM source.embeddings
JOIN (SELECT content_hash, min(package_id) AS package_id FROM packages GROUP BY content_hash)
    USING (content_hash)
ORDER BY package_id;
