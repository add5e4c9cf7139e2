-- What each part of the ranking weighs. One word is a name far more often than a description: there,
-- what the texts say counts for little, and names and what most people mean for much. A few words name
-- a kind of thing, of which the well-known is meant; many describe one. All are rounded from logistic
-- fits, popularity's to what public lists of software name, the others' (listwise softmax) to the tuning
-- parts of the query sets: tools/fit_popularity.py, benchmarks/fit_ranking.py. Where one does nothing for
-- most queries, values were tried on the same parts: what an exact name, a program, a beginning and
-- popularity count for one word.

-- How many words besides stop words are a few.
CREATE OR REPLACE MACRO fdnix_few_words() AS 3;

-- Of a score, when the file is searched: see fdnix_score.
CREATE OR REPLACE MACRO fdnix_weights() AS {
    'one_word': {
        'vector_similarity': 0.6,
        'coverage': 1.5,
        'tfidf_cosine': 0.0,
        'phrase_cosine': 2.2,
        'name_fit': 5.0,
        'exact_name': 7.0,
        'exact_program': 4.5,
        'prefix': 6.0,
        'prefix_popularity': 0.5,
        'spelling': 1.3
    },
    'few_words': {
        'vector_similarity': 8.5,
        'coverage': 7.0,
        'tfidf_cosine': 0.0,
        'phrase_cosine': 2.0,
        'name_fit': 4.5,
        'exact_name': 4.0,
        'exact_program': 3.0,
        'prefix': 0.0,
        'prefix_popularity': 0.0,
        'spelling': 0.0
    },
    'many_words': {
        'vector_similarity': 14.0,
        'coverage': 8.5,
        'tfidf_cosine': 2.5,
        'phrase_cosine': 1.0,
        'name_fit': 6.0,
        'exact_name': 0.0,
        'exact_program': 0.0,
        'prefix': 0.0,
        'prefix_popularity': 0.0,
        'spelling': 0.0
    }
};

-- Of a prior, when the file is built: see prior.sql. That what is broken or unfree counts less is not
-- fitted: few queries tell.
CREATE OR REPLACE MACRO fdnix_prior_weights() AS {
    'one_word': {
        'popularity': 0.9,
        'names': 0.0,
        'bad': -0.8,
        'unfree': 0.0
    },
    'few_words': {
        'popularity': 0.25,
        'names': 0.6,
        'bad': -0.8,
        'unfree': -0.5
    },
    'many_words': {
        'popularity': 0.2,
        'names': 0.5,
        'bad': -0.8,
        'unfree': 0.0
    }
};

-- Of popularity, the log-odds that a public list of software names the entry, when the file is built:
-- see popularity.sql. `outside` is what POPULARITY_FILE says, `application` and `known_in_set` what
-- programs and well-known ones in sets have over other members of sets: the lists, as they were read,
-- name what is at the top level alone. These three were not fitted.
CREATE OR REPLACE MACRO fdnix_popularity_weights() AS {
    'constant': -11.1,
    'top_level': 6.2,
    'application': 3.0,
    'known_in_set': 3.0,
    'plain': 0.96,
    'hyphen': -0.66,
    'digits': -0.89,
    'part': -1.82,
    'own_site': 0.67,
    'names': -0.82,
    'maintainers': 0.32,
    'program': 0.32,
    'owns_set': 0.42,
    'own_modules': 1.22,
    'own_tests': 1.17,
    'known': 0.93,
    'outside': 0.50
};

-- What is less popular than this is not told apart.
CREATE OR REPLACE MACRO fdnix_least_popularity() AS -14;

CREATE OR REPLACE MACRO fdnix_popularity(s, w) AS
    w.constant
    + w.top_level * s.top_level::INT
    + w.application * s.application::INT
    + w.known_in_set * s.known_in_set::INT
    + w.plain * s.plain::INT
    + w.hyphen * s.hyphen::INT
    + w.digits * s.digits::INT
    + w.part * s.part::INT
    + w.own_site * s.own_site::INT
    + w.names * s.names
    + w.maintainers * s.maintainers
    + w.program * s.program::INT
    + w.owns_set * s.owns_set::INT
    + w.own_modules * s.own_modules
    + w.own_tests * s.own_tests
    + w.known * s.known
    + w.outside * s.outside;

CREATE OR REPLACE MACRO fdnix_prior(p, w) AS
    w.popularity * p.popularity
    + w.names * p.names
    + w.bad * p.bad
    + w.unfree * p.unfree;

-- What a phrase says of an entry counts as far as the entry is known: of all web servers, nginx is meant.
CREATE OR REPLACE MACRO fdnix_score(
    vector_similarity, coverage, tfidf_cosine, phrase_cosine, name_fit, how, prior, popularity, w
) AS
    w.vector_similarity * vector_similarity
    + w.coverage * coverage
    + w.tfidf_cosine * tfidf_cosine
    + w.phrase_cosine * phrase_cosine * greatest(0, 1 + popularity / 8)
    + w.name_fit * name_fit
    + CASE how
        WHEN 'name' THEN w.exact_name
        -- Who types what nixpkgs calls it, or called it, means it.
        WHEN 'alias' THEN 8
        WHEN 'program' THEN w.exact_program
        -- Of names that begin so, the well-known is meant.
        WHEN 'prefix' THEN w.prefix + w.prefix_popularity * popularity
        WHEN 'spelling' THEN w.spelling
        ELSE 0 END
    + prior;
