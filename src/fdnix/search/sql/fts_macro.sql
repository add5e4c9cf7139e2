-- SELECT * FROM packages_fts_idx('pdf viewer') from any DuckDB client that has loaded fts.
CREATE OR REPLACE MACRO {name}(query_text) AS TABLE
SELECT
    p.package_id,
    p.pname,
    p.version,
    p.description,
    s.score
FROM (
    SELECT package_id, fts_main_packages_fts_source.match_bm25(package_id, query_text) AS score
    FROM packages_fts_source
) AS s
JOIN packages AS p USING (package_id)
WHERE s.score IS NOT NULL
ORDER BY s.score DESC, p.package_id;
