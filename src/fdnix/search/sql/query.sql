-- What stands in a query besides words: `license:mit`, `-is:free`, `"a phrase"`, `-word`.

-- The pieces of a query: words, and what is quoted with what it belongs to. Blanks are what Unicode has
-- for such, and control characters.
CREATE OR REPLACE MACRO fdnix_pieces(query) AS
    regexp_extract_all(
        regexp_replace(left(query, 1000), '[\s\p{Z}\p{Cc}]', ' ', 'g'),
        '-?(?:[A-Za-z]+:)?"[^"]*"|\S+');

CREATE OR REPLACE MACRO fdnix_is_filter(piece) AS
    regexp_matches(piece, '(?i)^-?(?:license|maintainer|set|platform|is):');

-- The pieces that a package has to pass: filters, phrases and what is excluded, each once.
CREATE OR REPLACE MACRO fdnix_conditions(query) AS
    list_transform([fdnix_pieces(query)], lambda pieces:
        list_filter(pieces, lambda piece, i:
            (fdnix_is_filter(piece) OR regexp_matches(piece, '^-?".*"$|^-[^\s"-]'))
            AND list_position(pieces, piece) = i))[1];

-- How many of them are obeyed: each is looked for in every package.
CREATE OR REPLACE MACRO fdnix_most_conditions() AS 12;

-- The values of a filter, `start` its key behind a colon and before it a - where it is negated:
-- fdnix_asked(['jq', 'license:mit'], 'license:', NULL) -> ['mit'].
CREATE OR REPLACE MACRO fdnix_asked(pieces, start, parameter) AS
    list_filter(
        list_append(
            list_transform(
                list_filter(pieces, lambda piece: starts_with(lower(piece), start)),
                lambda piece: trim(lower(substr(piece, length(start) + 1)), ' "')),
            trim(lower(parameter))),
        lambda value: value <> '');

-- What is left to be matched: no filters, nothing excluded, no quotation marks, nothing that only says
-- that a package of nixpkgs is meant.
CREATE OR REPLACE MACRO fdnix_query_text(query) AS
    trim(regexp_replace(
        regexp_replace(
            array_to_string(
                list_filter(fdnix_pieces(query), lambda piece:
                    NOT regexp_matches(piece, '^-[^\s-]') AND NOT fdnix_is_filter(piece)),
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

-- Words between blanks, so that a run of them can be found in another. Not by array_to_string, which is
-- a macro that writes its argument out twice.
CREATE OR REPLACE MACRO fdnix_spaced(words) AS concat(' ', list_aggregate(words, 'string_agg', ' '), ' ');

-- What is excluded, cut into words as texts are: -command-line is [command, line].
CREATE OR REPLACE MACRO fdnix_excluded(pieces) AS
    list_filter(
        list_transform(
            list_filter(pieces, lambda piece:
                regexp_matches(piece, '^-[^\s"-]') AND NOT fdnix_is_filter(piece)),
            lambda piece: fdnix_words(substr(piece, 2))),
        lambda words: len(words) > 0);

CREATE OR REPLACE MACRO fdnix_excluded_words(pieces) AS
    flatten(list_filter(fdnix_excluded(pieces), lambda words: len(words) = 1));

CREATE OR REPLACE MACRO fdnix_excluded_runs(pieces) AS
    list_transform(fdnix_excluded(pieces), lambda words: fdnix_spaced(words));

-- The longest word of each that is excluded: no text holds that without it. Nearly every text has the
-- letters of a word of one or two, and to look for more of them spares nothing: none then.
CREATE OR REPLACE MACRO fdnix_excluded_longest(pieces) AS
    list_transform(
        [list_transform(fdnix_excluded(pieces), lambda words: list_reverse_sort(
            list_transform(words, lambda w: {'size': length(w), 'word': w}))[1].word)],
        lambda longest:
            CASE WHEN len(list_filter(longest, lambda w: length(w) < 3)) > 0 THEN [] ELSE longest END)[1];

-- Whether some text holds any of some strings. Most lists have one: a function over the list is for
-- those that have more, and the text is named, since DuckDB would make it anew for each string.
CREATE OR REPLACE MACRO fdnix_holds_any(text, strings) AS
    CASE len(strings)
        WHEN 0 THEN false
        WHEN 1 THEN contains(text, strings[1])
        ELSE list_transform([text], lambda held:
            len(list_filter(strings, lambda x: contains(held, x))) > 0)[1] END;

-- fdnix_spaced(fdnix_words(text)), with more blanks around it, in half the time: most words already stand
-- between blanks. In a text of ASCII, all but its letters and digits lies between words; + and # may not.
CREATE OR REPLACE MACRO fdnix_spaced_words(text) AS
    CASE WHEN strlen(text) <> length(text) OR contains(text, '+') OR contains(text, '#')
    THEN fdnix_spaced(fdnix_words(text))
    ELSE concat(' ', regexp_replace(lower(text), ' ?[^ a-z0-9][^a-z0-9]*|  +', ' ', 'g'), ' ') END;

-- Whether a package's texts hold all phrases and none that is refused. One step after the other, each for
-- what is left: in `a AND b` as a result DuckDB computes both for all.
CREATE OR REPLACE MACRO fdnix_phrases_pass(f, texts) AS
    CASE
        WHEN len(f.phrases) = 1 AND NOT contains(lower(texts), f.phrases[1]) THEN false
        WHEN len(f.phrases) > 1 AND list_transform([lower(texts)], lambda held:
            len(list_filter(f.phrases, lambda x: NOT contains(held, x))) > 0)[1] THEN false
        ELSE NOT fdnix_holds_any(lower(texts), f.no_phrases) END;

-- Whether a name is cut into more parts than words: at its capitals, and before and behind digits.
CREATE OR REPLACE MACRO fdnix_has_parts(name) AS
    strlen(name) <> length(name)
    OR regexp_matches(name, '[a-z][A-Z]|[0-9][A-Za-z+#]|[A-Za-z][0-9]');

-- Whether a package's name and its descriptions hold nothing that is excluded. Texts are cut into words
-- only where they have an excluded word's letters; more to spare texts that costs more than it saves.
-- Names are cut into parts too: -python excludes python3.
CREATE OR REPLACE MACRO fdnix_exclusions_pass(f, name, texts) AS
    CASE
        WHEN len(f.excluded_runs) = 0 THEN true
        WHEN len(f.excluded_longest) > 0 AND NOT fdnix_holds_any(fdnix_folded(texts), f.excluded_longest)
        THEN true
        WHEN fdnix_holds_any(fdnix_spaced_words(texts), f.excluded_runs) THEN false
        WHEN fdnix_has_parts(name) THEN NOT list_has_any(fdnix_name_parts(name), f.excluded)
        ELSE true END;

-- Whether the name of a set is no word that is excluded and has none for a part.
CREATE OR REPLACE MACRO fdnix_set_passes(f, set_name) AS
    CASE
        WHEN len(f.excluded) = 0 OR set_name IS NULL THEN true
        ELSE NOT list_has_any(fdnix_words(set_name) || fdnix_name_parts(set_name), f.excluded) END;

-- What of an attribute path fdnix_set_passes has not asked.
CREATE OR REPLACE MACRO fdnix_behind_set(path, set_name) AS
    coalesce(substr(path, length(set_name) + 2), path);

-- Of some words, the one that is spelt most like another.
CREATE OR REPLACE MACRO fdnix_likest(word, words) AS
    list_sort(list_transform(words, lambda w: {'edits': damerau_levenshtein(w, word), 'word': w}))[1];
