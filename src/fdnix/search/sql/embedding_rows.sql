-- What goes into `embeddings`, with the full database's vectors.
SELECT s.embedding_id, s.entry_id, e.prior_one, e.prior_few, e.prior_many, e.popularity, v.vector
FROM embedding_source AS s
JOIN source.embeddings AS v USING (content_hash)
LEFT JOIN search_entries AS e ON e.entry_id = s.entry_id
ORDER BY s.embedding_id;
