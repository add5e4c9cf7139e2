-- The shape that DuckDB's vss extension answers from its HNSW index.
SELECT content_hash, array_cosine_distance(vector, $1::FLOAT[{dimensions}]) AS distance
FROM embeddings
ORDER BY array_cosine_distance(vector, $1::FLOAT[{dimensions}])
LIMIT $2
