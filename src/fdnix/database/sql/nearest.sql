-- The shape that DuckDB's vss extension answers from its HNSW index. $1 is a vector as text, such as
-- '[0.1, 0.2]': DuckDB binds that ten times as fast as a list of 256 numbers.
SELECT content_hash, array_cosine_distance(vector, $1::VARCHAR::FLOAT[{dimensions}]) AS distance
FROM embeddings
ORDER BY array_cosine_distance(vector, $1::VARCHAR::FLOAT[{dimensions}])
LIMIT $2
