-- From where the programs of how many packages were learnt.
SELECT concat('programs_from_', programs_source), count(*)
FROM packages
WHERE programs IS NOT NULL
GROUP BY programs_source;
