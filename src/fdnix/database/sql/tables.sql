SELECT database_name, schema_name, table_name, estimated_size
FROM duckdb_tables()
WHERE database_name = current_database()
ORDER BY schema_name, table_name;
