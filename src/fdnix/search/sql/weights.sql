-- What each part of the ranking weighs. One word is a name far more often than a description: there,
-- what the texts say counts for little, and names and what most people mean for much. A few words name
-- a kind of thing, of which the well-known is meant; many describe one. All are rounded from logistic
-- fits, popularity's to what public lists of software name, the others' (listwise softmax) to the tuning
-- parts of the query sets: tools/fit_popularity.py, benchmarks/fit_ranking.py. Where one does nothing for
-- most queries, values were tried on the same parts: what an exact name and a beginning count.

-- What no word and no name of a query finds is found by meaning from this cosine on.
CREATE OR REPLACE MACRO fdnix_least_similarity() AS 0.4;

-- How many words besides stop words are a few.
CREATE OR REPLACE MACRO fdnix_few_words() AS 3;

-- Of a score, when the file is searched: see fdnix_score.
CREATE OR REPLACE MACRO fdnix_weights() AS {
    'one_word': {
        'vector_similarity': 0.6,
        'coverage': 1.5,
        'tfidf_cosine': 0.0,
        'phrase_cosine': 2.2,
        'name_fit': 7.0,
        'exact_name': 4.0,
        'exact_program': 2.5,
        'prefix': 4.5,
        'prefix_popularity': 0.3
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
        'prefix_popularity': 0.0
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
        'prefix_popularity': 0.0
    }
};

-- Of a prior, when the file is built: see prior.sql. That what is broken or unfree counts less is not
-- fitted: few queries tell.
CREATE OR REPLACE MACRO fdnix_prior_weights() AS {
    'one_word': {
        'popularity': 0.7,
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
-- see popularity.sql. `outside` is what POPULARITY_FILE says, and was not fitted.
CREATE OR REPLACE MACRO fdnix_popularity_weights() AS {
    'constant': -11.59,
    'top_level': 6.40,
    'plain': 1.08,
    'hyphen': -0.71,
    'digits': -0.85,
    'part': -1.83,
    'own_site': 0.79,
    'own_host': 0.28,
    'unfree': -0.35,
    'names': -0.52,
    'named_after': 0.21,
    'spoken_of': 0.19,
    'maintainers': 0.58,
    'changelog': 0.24,
    'program': 0.37,
    'long_description': 0.20,
    'released': 0.29,
    'unreleased': -0.35,
    'owns_set': 0.63,
    'own_modules': 1.33,
    'tests': 0.21,
    'own_tests': 1.11,
    'release_notes': 0.35,
    'outside': 0.50
};

-- What is less popular than this is not told apart.
CREATE OR REPLACE MACRO fdnix_least_popularity() AS -14;

CREATE OR REPLACE MACRO fdnix_popularity(s, w) AS
    w.constant
    + w.top_level * s.top_level::INT
    + w.plain * s.plain::INT
    + w.hyphen * s.hyphen::INT
    + w.digits * s.digits::INT
    + w.part * s.part::INT
    + w.own_site * s.own_site::INT
    + w.own_host * s.own_host::INT
    + w.unfree * s.unfree::INT
    + w.names * s.names
    + w.named_after * s.named_after
    + w.spoken_of * s.spoken_of
    + w.maintainers * s.maintainers
    + w.changelog * s.changelog::INT
    + w.program * s.program::INT
    + w.long_description * s.long_description::INT
    + w.released * s.released::INT
    + w.unreleased * s.unreleased::INT
    + w.owns_set * s.owns_set::INT
    + w.own_modules * s.own_modules
    + w.tests * s.tests
    + w.own_tests * s.own_tests
    + w.release_notes * s.release_notes
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
        ELSE 0 END
    + prior;
