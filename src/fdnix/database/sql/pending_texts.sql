-- $every asks for the texts that have a vector too, as when the model changes. The columns are the
-- arguments of embedding_text, in their order. Texts come in the order of their packages: like texts
-- stand together then, which makes the HNSW index a third faster to build.
SELECT content_hash, package_id, pname, version, main_program, description, long_description, kinds
FROM (
    SELECT DISTINCT ON (content_hash) *
    FROM packages
    ANTI JOIN (SELECT content_hash FROM embeddings WHERE NOT $every) USING (content_hash)
    ORDER BY content_hash, package_id
)
ORDER BY package_id;
