-- A search fetches a few rows of these by key.
CREATE INDEX packages_entry_idx ON packages (entry_id);
CREATE INDEX search_postings_term_idx ON search_postings (term_id);
