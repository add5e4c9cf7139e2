-- In a copy of a full database: all that goes, so that the vectors and their index stay.
DROP TABLE packages;
DROP TABLE packages_fts_source;
DROP TABLE embedding_failures;
DROP TABLE rejected_packages;
DROP TABLE fdnix_meta;
