SELECT concat('nothing has {key}:', asked, '; there is {key}:', likest) AS sentence
FROM (
    SELECT asked, arg_min(has, damerau_levenshtein(lower(has), asked)) AS likest
    FROM (SELECT unnest((filters).{field}) AS asked)
    CROSS JOIN (SELECT DISTINCT {values} AS has FROM packages AS p)
    WHERE has <> ''
    GROUP BY asked
    HAVING NOT bool_or(contains(lower(has), asked))
)
