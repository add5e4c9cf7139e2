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
SELECT * EXCLUDE (entries, passing)
FROM fdnix_rank(
    'question', fdnix_filters(query, {arguments}), max_hits, skip_hits);
