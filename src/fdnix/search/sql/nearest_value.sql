SELECT concat('nothing has {key}:', asked, '; there is {key}:' || list_sort(list_transform(likely,
    lambda has: {{'edits': damerau_levenshtein(lower(has), asked), 'has': has}}))[1].has) AS sentence
FROM (
    WITH missing AS MATERIALIZED (
        SELECT x
        FROM (SELECT DISTINCT unnest((filters).{field} || (filters).no_{field}) AS x)
        WHERE NOT EXISTS (FROM (SELECT DISTINCT {columns} FROM {table}) AS p WHERE {condition})
    )
    -- Edits are counted for the likeliest alone: to count them for all takes ten times as long. Jaro's
    -- measure misses what is turned round in words of three or four letters; Jaccard's does not. Of those
    -- that have little in common, those of like length are nearest.
    SELECT
        x AS asked,
        arg_max(
            has,
            jaro_similarity(lower(has), x) + jaccard(lower(has), x)
            - abs(length(has) - length(x)) / greatest(length(has), length(x)),
            50) AS likely
    FROM missing
    LEFT JOIN (
        SELECT DISTINCT {values} AS has
        FROM {table} AS p CROSS JOIN (FROM missing LIMIT 1)
    ) ON has <> ''
    GROUP BY x
    ORDER BY x
)
