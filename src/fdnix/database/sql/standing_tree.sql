-- What packages were told by a tree: the texts, the programs of build texts, and those of a channel.
SELECT
    package_id,
    usage_texts,
    CASE programs_source WHEN 'tree' THEN programs END,
    CASE programs_source WHEN 'channel' THEN programs END
FROM packages
WHERE usage_texts IS NOT NULL OR programs_source IN ('tree', 'channel');
