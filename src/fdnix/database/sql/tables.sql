SELECT database_name, schema_name, table_name, estimated_size
FROM duckdb_tables()
WHERE database_name = $database
ORDER BY schema_name, table_name;
