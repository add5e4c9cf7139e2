-- What each part of the ranking weighs. One word is a name far more often than a description: there,
-- what the texts say counts for little, and names and what most people mean for much. All are
-- rounded from a logistic fit (listwise softmax) to the tuning parts of the query sets.

-- What no word and no name of a query finds is found by meaning from this cosine on.
CREATE OR REPLACE MACRO fdnix_least_similarity() AS 0.4;

-- Of a score, when the file is searched: see fdnix_score.
CREATE OR REPLACE MACRO fdnix_weights() AS {
    'one_word': {
        'vector_similarity': 1.6,
        'coverage': 1.6,
        'tfidf_cosine': 0.0,
        'name_fit': 5.4,
        'exact_name': 2.0,
        'exact_program': 2.0,
        'prefix': 1.2
    },
    'several_words': {
        'vector_similarity': 10.0,
        'coverage': 6.0,
        'tfidf_cosine': 2.5,
        'name_fit': 4.0,
        'exact_name': 3.0,
        'exact_program': 1.0,
        'prefix': 0.0
    }
};

-- Of a prior, when the file is built: see prior.sql.
CREATE OR REPLACE MACRO fdnix_prior_weights() AS {
    'one_word': {
        'top_level': 2.8,
        'named_after': 0.2,
        'plain': 0.0,
        'hyphen': 0.0,
        'library': -0.45,
        'own_site': 0.9,
        'names': 0.6,
        'bad': -0.8,
        'unfree': -0.5,
        'popularity': 0.5
    },
    'several_words': {
        'top_level': 1.4,
        'named_after': 0.2,
        'plain': 0.4,
        'hyphen': -0.45,
        'library': -0.45,
        'own_site': 0.4,
        'names': 0.3,
        'bad': -0.8,
        'unfree': -0.5,
        'popularity': 0.5
    }
};

CREATE OR REPLACE MACRO fdnix_prior(p, w) AS
    w.top_level * p.top_level
    + w.named_after * p.named_after
    + w.plain * p.plain
    + w.hyphen * p.hyphen
    + w.library * p.library
    + w.own_site * p.own_site
    + w.names * p.names
    + w.bad * p.bad
    + w.unfree * p.unfree
    + w.popularity * p.popularity;

CREATE OR REPLACE MACRO fdnix_score(
    vector_similarity, coverage, tfidf_cosine, name_fit, how, prior, w
) AS
    w.vector_similarity * vector_similarity
    + w.coverage * coverage
    + w.tfidf_cosine * tfidf_cosine
    + w.name_fit * name_fit
    + CASE how
        WHEN 'name' THEN w.exact_name
        WHEN 'program' THEN w.exact_program
        WHEN 'prefix' THEN w.prefix
        ELSE 0 END
    + prior;
