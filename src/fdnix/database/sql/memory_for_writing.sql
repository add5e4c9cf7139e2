-- The bytes of memory that a connection which writes may take: half of what the machine has, or the
-- container (its cgroup). DuckDB would take 80 percent, and does not count all that it takes; Python
-- holds a catalogue or vectors beside it. Takes no parameter; reads the setting as DuckDB made it.
SELECT parse_formatted_bytes(current_setting('memory_limit')) * 5 // 8;
