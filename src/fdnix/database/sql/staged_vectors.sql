-- The staged vectors in the order of the packages: like ones stand together then, which makes the HNSW
-- index a third faster to build.
SELECT content_hash, vector
FROM staged.vectors
JOIN (SELECT content_hash, min(package_id) AS package_id FROM packages GROUP BY content_hash)
    USING (content_hash)
ORDER BY package_id;
