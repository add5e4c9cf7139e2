-- search_entries: one row an entry, with how likely anyone means it whatever the query: a prior for
-- queries of one word, of a few and of many, and its popularity in log-odds, of as many decimals as
-- tell and as DuckDB packs small. Reads the temporary tables of entries.sql and popularity.sql.
CREATE OR REPLACE TEMP TABLE prior_parts AS
SELECT
    e.entry_id,
    greatest(p.log_odds, fdnix_least_popularity()) AS popularity,
    s.names,
    (broken OR insecure)::INT AS bad,
    e.unfree::INT AS unfree
FROM entry_source AS e
JOIN popularity_signals AS s USING (entry_id)
JOIN entry_popularity AS p USING (entry_id);

CREATE TABLE search_entries AS
SELECT
    e.entry_id,
    m.embedding_id,
    round(fdnix_prior(s, fdnix_prior_weights().one_word), 3)::FLOAT AS prior_one,
    round(fdnix_prior(s, fdnix_prior_weights().few_words), 3)::FLOAT AS prior_few,
    round(fdnix_prior(s, fdnix_prior_weights().many_words), 3)::FLOAT AS prior_many,
    round(s.popularity, 3)::FLOAT AS popularity
FROM entry_source AS e
JOIN prior_parts AS s USING (entry_id)
LEFT JOIN embedding_source AS m USING (entry_id)
ORDER BY e.entry_id;
