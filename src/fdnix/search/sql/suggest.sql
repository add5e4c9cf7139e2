-- The entries of which a name begins with what is typed, likeliest first: -> package_id, description
CREATE OR REPLACE MACRO fdnix_suggest(typed, max_names := 10) AS TABLE
WITH begun AS MATERIALIZED (
    SELECT entry_id
    FROM search_names, (SELECT fdnix_glue(query) AS glued FROM (SELECT typed AS query))
    WHERE glued <> '' AND starts_with("start", left(glued, 3)) AND starts_with(name, glued)
    GROUP BY entry_id
)
SELECT package_id, description
FROM begun
JOIN search_entries USING (entry_id)
JOIN packages USING (entry_id)
WHERE variant = 0
ORDER BY prior_one DESC, package_id
LIMIT max_names;
