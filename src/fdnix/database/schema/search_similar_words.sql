-- The terms worth relating: words, not numbers or chance names, each with its commonest form.
SELECT term_id, arg_max(word, (entries, word)) AS word
FROM search_words
WHERE regexp_full_match(word, '[a-z]{3,}')
GROUP BY term_id
HAVING max(entries) >= 4
ORDER BY term_id;
