-- The word forms, with the terms that mean nearly the same as theirs and what a misspelling is looked
-- up with. Reads word_forms (inverted_index.sql) and related (term_id, related_id, similarity: a
-- cosine, times 255). Sorted and looked up by hash: DuckDB passes over row groups that cannot hold a
-- number sooner than over those that cannot hold a string.
CREATE TABLE search_vocabulary AS
SELECT
    fdnix_hash(word) AS hash,
    word,
    term_id,
    idf,
    entries,
    fdnix_letters(word) AS letters,
    related
FROM word_forms
LEFT JOIN (
    SELECT
        term_id,
        list({'term_id': related_id, 'similarity': similarity} ORDER BY related_id) AS related
    FROM related
    GROUP BY term_id
) USING (term_id)
ORDER BY hash;
