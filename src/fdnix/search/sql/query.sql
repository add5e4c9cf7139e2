-- What stands in a query besides words: `license:mit`, `-is:free`, `"a phrase"`, `-word`.

-- The pieces of a query: words, and what is quoted with what it belongs to.
CREATE OR REPLACE MACRO fdnix_pieces(query) AS
    regexp_extract_all(left(query, 1000), '-?(?:[A-Za-z]+:)?"[^"]*"|\S+');

-- The values of a filter, `start` its key behind a colon and before it a - where it is negated:
-- fdnix_asked(['jq', 'license:mit'], 'license:', NULL) -> ['mit'].
CREATE OR REPLACE MACRO fdnix_asked(pieces, start, parameter) AS
    list_filter(
        list_append(
            list_transform(
                list_filter(pieces, lambda piece: starts_with(lower(piece), start)),
                lambda piece: trim(lower(substr(piece, length(start) + 1)), ' "')),
            lower(parameter)),
        lambda value: value <> '');

-- What is left to be matched: no filters, nothing excluded, no quotation marks, nothing that only says
-- that a package of nixpkgs is meant.
CREATE OR REPLACE MACRO fdnix_query_text(query) AS
    trim(regexp_replace(
        regexp_replace(
            array_to_string(
                list_filter(fdnix_pieces(query), lambda piece:
                    NOT regexp_matches(piece, '(?i)^(?:-[^\s-]|-?(?:license|maintainer|set|platform|is):)')),
                ' '),
            '(?i)(?:^|\s)(?:nix (?:shell|run|build|develop|profile (?:install|add)) )?nixpkgs#|(?:^|\s)pkgs\.',
            ' ', 'g'),
        '["\s]+', ' ', 'g'));

CREATE OR REPLACE MACRO fdnix_phrases(pieces, sign) AS
    list_filter(
        list_transform(
            list_filter(pieces, lambda piece: starts_with(piece, sign || '"') AND ends_with(piece, '"')),
            lambda piece: lower(trim(piece, ' -"'))),
        lambda phrase: phrase <> '');

CREATE OR REPLACE MACRO fdnix_excluded(pieces) AS
    list_transform(
        list_filter(pieces, lambda piece: regexp_matches(piece, '^-[^\s"-]')
            AND NOT regexp_matches(piece, '(?i)^-(?:license|maintainer|set|platform|is):')),
        lambda piece: lower(substr(piece, 2)));

-- Whether a package's texts hold all phrases and neither a refused phrase nor an excluded word. CASE, so
-- that they are looked at only where something is asked of them, and cut into words only where they
-- have a word's letters. A set's name is cut at its capitals too: -python excludes pythonPackages.
CREATE OR REPLACE MACRO fdnix_text_passes(f, path, texts) AS
    CASE WHEN len(f.phrases) + len(f.no_phrases) + len(f.excluded) = 0 THEN true
    ELSE len(list_filter(f.phrases, lambda x: NOT contains(lower(texts), x))) = 0
        AND len(list_filter(f.no_phrases, lambda x: contains(lower(texts), x))) = 0
        AND len(list_filter(f.excluded, lambda x: CASE
            WHEN contains(lower(texts), x)
            THEN list_contains(fdnix_words(texts), x) OR list_contains(fdnix_name_parts(path), x)
            ELSE false END)) = 0
    END;

-- Of some words, the one that is spelt most like another.
CREATE OR REPLACE MACRO fdnix_likest(word, words) AS
    list_sort(list_transform(words, lambda w: {'edits': damerau_levenshtein(w, word), 'word': w}))[1];
