-- One row if the search is filtered, none if not: then no package is looked at for filters.
filters AS MATERIALIZED (
    SELECT *
    FROM (
        SELECT
            list_filter(list_append(fdnix_asked(whole, 'license'), lower(only_license)), lambda x: x IS NOT NULL) AS licenses,
            list_filter(list_append(fdnix_asked(whole, 'maintainer'), lower(only_maintainer)), lambda x: x IS NOT NULL) AS maintainers,
            list_filter(list_append(fdnix_asked(whole, 'set'), lower(only_set)), lambda x: x IS NOT NULL) AS sets,
            list_filter(list_append(fdnix_asked(whole, 'platform'), lower(only_platform)), lambda x: x IS NOT NULL) AS platforms,
            fdnix_asked(whole, 'is') AS flags,
            fdnix_phrases(whole) AS phrases,
            fdnix_excluded(whole) AS excluded,
            free_only OR list_contains(flags, 'free') AS free,
            hide_broken OR list_contains(flags, 'working') AS working,
            hide_insecure OR list_contains(flags, 'secure') AS secure,
            hide_unavailable OR list_contains(flags, 'available') AS available
        FROM asked_text
    )
    WHERE len(licenses) + len(maintainers) + len(sets) + len(platforms) + len(phrases) + len(excluded) > 0
        OR free OR working OR secure OR available
),
allowed_packages AS MATERIALIZED (
    SELECT p.rowid::INTEGER AS package_row
    FROM filters AS f
    JOIN packages AS p ON
        len(list_filter(f.licenses, lambda x: NOT contains(lower(coalesce(p.license, '')), x))) = 0
        AND len(list_filter(f.maintainers, lambda x: NOT contains(lower(coalesce(p.maintainers, '')), x))) = 0
        AND len(list_filter(f.sets, lambda x: lower(coalesce(p.attribute_set, '')) <> x)) = 0
        AND list_has_all(p.platforms, f.platforms)
        AND NOT (f.free AND p.unfree)
        AND NOT (f.working AND p.broken)
        AND NOT (f.secure AND p.insecure)
        AND NOT (f.available AND NOT p.available)
),
allowed_texts AS MATERIALIZED (
    SELECT s.package_id
    FROM (FROM filters WHERE len(phrases) + len(excluded) > 0) AS f
    CROSS JOIN packages_fts_source AS s
    WHERE len(list_filter(f.phrases, lambda x: NOT contains(
            lower(concat_ws(' ', s.package_id, s.description, s.long_description)), x))) = 0
        -- CASE, so that only texts with the letters are cut into words.
        AND len(list_filter(f.excluded, lambda x: CASE
            WHEN contains(lower(concat_ws(' ', s.package_id, s.description, s.long_description)), x)
            THEN list_contains(
                fdnix_words(concat_ws(' ', s.package_id, s.description, s.long_description)), x)
            ELSE false END)) = 0
),
allowed AS MATERIALIZED (
    SELECT v.entry_id, v.variant, v.package_id
    FROM allowed_packages AS p
    JOIN search_variants AS v USING (package_row)
    WHERE NOT EXISTS (FROM filters WHERE len(phrases) + len(excluded) > 0)
        OR v.package_id IN (FROM allowed_texts)
),
