SELECT concat('nothing has {key}:', asked, '; there is {key}:' || likest) AS sentence
FROM (
    SELECT x AS asked, arg_min(has, (damerau_levenshtein(lower(has), x), has)) AS likest
    FROM (SELECT DISTINCT unnest((filters).{field} || (filters).no_{field}) AS x)
    LEFT JOIN (SELECT DISTINCT {values} AS has FROM {table} AS p) ON has <> ''
    WHERE NOT EXISTS (
        FROM (SELECT DISTINCT {columns} FROM {table}) AS p WHERE {condition})
    GROUP BY x
    ORDER BY x
)
