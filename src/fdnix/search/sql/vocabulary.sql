-- The word forms, with their terms and what a misspelling is looked up with. Reads word_forms
-- (inverted_index.sql). Sorted and looked up by hash: DuckDB passes over row groups that cannot hold a
-- number sooner than over those that cannot hold a string.
CREATE TABLE search_vocabulary AS
SELECT fdnix_hash(word) AS hash, word, term_id, idf, entries, fdnix_letters(word) AS letters
FROM word_forms
ORDER BY hash;
