-- BM25 and cosine similarity merged by reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009,
-- "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods", k = 60).
-- Packages with one embedding text are variants of one entry.
WITH text_ranks AS (
    SELECT p.content_hash, min(p.package_id) AS package_id, max(s.score) AS score
    FROM (
        SELECT package_id, fts_main_packages_fts_source.match_bm25(package_id, $text) AS score
        FROM packages_fts_source
    ) AS s
    JOIN packages AS p USING (package_id)
    WHERE s.score IS NOT NULL
    GROUP BY p.content_hash
    ORDER BY score DESC, package_id
    LIMIT 100
),
vector_ranks AS (
    SELECT content_hash, array_cosine_distance(vector, $vector::FLOAT[{dimensions}]) AS distance
    FROM embeddings
    ORDER BY distance
    LIMIT 100
),
ranks AS (
    SELECT content_hash, row_number() OVER (ORDER BY score DESC, package_id) AS place
    FROM text_ranks
    UNION ALL
    SELECT content_hash, row_number() OVER (ORDER BY distance, content_hash)
    FROM vector_ranks
),
merged AS (
    SELECT content_hash, sum(1.0 / (60 + place)) AS score
    FROM ranks
    GROUP BY content_hash
)
SELECT
    arg_min(p.package_id, (p.attribute_set IS NOT NULL, p.package_id)) AS package_id,
    arg_min(p.pname, (p.attribute_set IS NOT NULL, p.package_id)) AS pname,
    arg_min(p.version, (p.attribute_set IS NOT NULL, p.package_id)) AS version,
    any_value(p.description) AS description,
    list(p.package_id ORDER BY p.package_id) AS variants,
    any_value(m.score) AS score
FROM merged AS m
JOIN packages AS p USING (content_hash)
GROUP BY content_hash
ORDER BY score DESC, package_id
LIMIT $limit
