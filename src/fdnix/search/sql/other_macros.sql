-- The macros in the file that are none of the connection's own; $fts is the one that searches the
-- full-text index, whose name is a setting. DuckDB writes a macro that was stored in a file without
-- MATERIALIZED, with other quotes and brackets, and with what is excluded in any order.
WITH macros AS (
    SELECT database_name, function_name, parameters::VARCHAR AS parameters,
        regexp_replace(macro_definition, ' MATERIALIZED|EXCLUDE \([^)]*\)|["()\s]', '', 'g') AS definition
    FROM duckdb_functions()
    WHERE database_name IN ('memory', 'main_file') AND schema_name = 'main' AND NOT internal
)
SELECT DISTINCT function_name
FROM (
    (SELECT COLUMNS(* EXCLUDE database_name) FROM macros WHERE database_name = 'main_file')
    EXCEPT
    (SELECT COLUMNS(* EXCLUDE database_name) FROM macros WHERE database_name = 'memory')
)
WHERE function_name IS DISTINCT FROM $fts
ORDER BY function_name;
