-- The systems that nixpkgs has been built for, but for those that no package names where many name
-- another of the same kernel: nixpkgs has dropped these. A few packages tell nothing.
WITH
named AS (SELECT unnest(platforms) AS system FROM packages),
of_kernel AS (SELECT split_part(system, '-', 2) AS kernel, count(*) AS packages FROM named GROUP BY ALL)
SELECT list(system ORDER BY list_position($systems, system))
FROM (SELECT unnest($systems) AS system)
LEFT JOIN of_kernel ON kernel = split_part(system, '-', 2)
WHERE coalesce(packages, 0) < 100 OR system IN (FROM named);
