-- The whole search. What is filled in are the filters' parameters (fdnix.search.filters).
-- The vector is the local model's where the file's vectors are, and may be given where they are not;
-- without one, search is by text alone.
CREATE OR REPLACE MACRO fdnix_search(
    query, query_vector := NULL, max_hits := 20, skip_hits := 0, {parameters}
) AS TABLE
WITH question AS MATERIALIZED (
    SELECT
        *,
        coalesce(
            query_vector::FLOAT[], (SELECT vector FROM fdnix_embed(fdnix_query_text(query)))
        ) AS vector
    FROM fdnix_question(fdnix_query_text(query))
)
SELECT * EXCLUDE (entries)
FROM fdnix_rank(
    (SELECT question FROM question), fdnix_filters(query, {arguments}), max_hits, skip_hits);

-- The packages whose vectors are nearest to one, each entry once: -> package_id, vector_similarity.
-- With the extension vss loaded DuckDB finds them in the HNSW index, without by looking at all.
CREATE OR REPLACE MACRO fdnix_nearest(query_vector, max_hits := 10) AS TABLE
SELECT package_id, 1 - distance AS vector_similarity
FROM (
    SELECT entry_id, array_cosine_distance(vector, fdnix_vector(query_vector)) AS distance
    FROM (
        SELECT entry_id, vector
        FROM embeddings
        ORDER BY array_cosine_distance(head, fdnix_head(query_vector))
        LIMIT 300
    )
    WHERE entry_id IS NOT NULL
)
JOIN (SELECT package_id, entry_id FROM packages WHERE variant = 0) USING (entry_id)
ORDER BY distance, package_id
LIMIT max_hits;
