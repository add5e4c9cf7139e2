-- The terms worth relating: words, not numbers, chance names or words that stand everywhere, each
-- with its commonest form. -> term_id, word
SELECT term_id, arg_max(word, (entries, word)) AS word
FROM word_forms
WHERE regexp_full_match(word, '[a-z]{3,}') AND idf > 3
GROUP BY term_id
HAVING max(entries) >= 4
ORDER BY term_id;
