nearness AS MATERIALIZED (
    SELECT
        rowid AS vector_row,
        array_inner_product(vector, query_vector::FLOAT[{dimensions}]) AS similarity
    FROM embeddings
),
near AS MATERIALIZED (
    SELECT entry_id
    FROM search_entries
    WHERE vector_row IN (
        SELECT vector_row FROM nearness
        WHERE similarity > (SELECT max(similarity) - 0.1 FROM nearness)
    )
),
