SELECT concat('nothing has {key}:', asked, '; there is {key}:' || likest) AS sentence
FROM (
    SELECT x AS asked, arg_min(has, (damerau_levenshtein(lower(has), x), has)) AS likest
    FROM (SELECT DISTINCT unnest((filters).{field} || (filters).no_{field}) AS x)
    LEFT JOIN (SELECT DISTINCT {values} AS has FROM packages AS p) ON has <> ''
    WHERE NOT EXISTS (
        FROM packages AS p LEFT JOIN search_licenses AS l USING (license) WHERE {condition})
    GROUP BY x
)
