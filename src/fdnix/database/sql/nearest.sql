-- The inner query has the shape that DuckDB's vss extension answers from its HNSW index; the outer one
-- compares what it found whole. $1 is a vector, $2 its head, as text such as '[0.1, 0.2]': DuckDB
-- binds that ten times as fast as a list of 256 numbers.
SELECT array_cosine_distance(vector, $1::VARCHAR::FLOAT[{dimensions}]) AS distance
FROM (
    SELECT vector
    FROM embeddings
    ORDER BY array_cosine_distance(head, $2::VARCHAR::FLOAT[{head}])
    LIMIT {candidates}
)
ORDER BY distance
LIMIT $3
