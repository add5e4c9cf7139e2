-- How text becomes words. Used while the index is built and again by every search, so that both
-- sides cut text the same way. No function here comes from an extension.

-- Lower case, accents folded, and letters and digits of full width those of ASCII.
CREATE OR REPLACE MACRO fdnix_folded(s) AS
    lower(CASE WHEN strlen(s) = length(s) THEN s ELSE strip_accents(translate(
        s,
        '０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ',
        '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')) END);

-- What stands between words, as part of a character class: ASCII's controls, blanks and punctuation but
-- for + and #, and Unicode's blocks of such. All else is of some word: letters and digits of any script,
-- with the marks that belong to them. Blocks, because RE2 takes 1.2 ms to compile \p{L}, once for every
-- place where a search uses it, and 0.05 ms to compile these.
CREATE OR REPLACE MACRO fdnix_gaps() AS concat(
    '\x00-"$-*,-/:-@\[-`{-\x{A9}\x{AB}-\x{B1}\x{B4}\x{B6}-\x{B8}\x{BB}-\x{BF}\x{D7}\x{F7}',
    '\x{55A}-\x{55F}\x{589}\x{58A}\x{5BE}\x{609}-\x{60D}\x{61B}-\x{61F}\x{66A}-\x{66D}\x{6D4}\x{964}\x{965}',
    '\x{2000}-\x{2BFF}\x{2E00}-\x{2E7F}\x{3000}-\x{303F}\x{E000}-\x{F8FF}\x{FE00}-\x{FE6F}\x{FEFF}-\x{FF0F}',
    '\x{FF1A}-\x{FF20}\x{FF3B}-\x{FF40}\x{FF5B}-\x{FF65}\x{FFF0}-\x{FFFF}\x{1F000}-\x{1FAFF}\x{E0000}-\x{10FFFF}');

-- Chinese and Japanese put no blanks between words: there, a character is a word.
CREATE OR REPLACE MACRO fdnix_characters() AS
    '\x{3040}-\x{30FF}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{FF66}-\x{FF9D}\x{20000}-\x{323AF}';

-- The words of a sentence: runs of letters and digits of any script; 'c++' and 'c#' stay whole.
CREATE OR REPLACE MACRO fdnix_words(s) AS
    regexp_extract_all(
        fdnix_folded(s),
        concat('[^+#', fdnix_gaps(), fdnix_characters(), ']+(?:\+\+|#)?|[', fdnix_characters(), ']'));

-- Words that say nothing in a sentence; in a name ('the-powder-toy') they do.
CREATE OR REPLACE MACRO fdnix_stopwords() AS [
    'a', 'an', 'and', 'as', 'at', 'by', 'for', 'from', 'in', 'is', 'it', 'of', 'on', 'or', 'that',
    'the', 'this', 'to', 'with', 'you', 'your'];

-- The parts of a name: cut at punctuation, at a capital after a small letter, and between letters
-- and digits. 'python313Packages.fooBar' gives python, 313, packages, foo, bar.
CREATE OR REPLACE MACRO fdnix_name_parts(s) AS
    regexp_extract_all(
        fdnix_folded(regexp_replace(s, '([a-z])([A-Z])', '\1 \2', 'g')),
        concat(
            '[^+#0-9', fdnix_gaps(), fdnix_characters(), ']+(?:\+\+|#)?|[0-9]+|[', fdnix_characters(), ']'));

-- A name as one run of letters and digits: 'Docker-Compose' and 'docker compose' are the same.
CREATE OR REPLACE MACRO fdnix_glue(s) AS
    regexp_replace(fdnix_folded(s), concat('[', fdnix_gaps(), ']+'), '', 'g');

-- Which letters and digits a name holds, in 32 bits that some of them share: tells almost every name
-- that cannot be a misspelling from those that may be, without comparing.
CREATE OR REPLACE MACRO fdnix_letters(s) AS
    list_reduce(
        [0::UINTEGER] || list_transform(
            string_split(left(s, 40), ''),
            lambda c: CASE WHEN c = '' THEN 0 ELSE 1::UBIGINT << (ascii(c) % 32)::INT END::UINTEGER),
        lambda a, b: a | b);

-- How many edits a word of this length may be away from the one that was meant.
CREATE OR REPLACE MACRO fdnix_edits(size) AS CASE WHEN size < 6 THEN 1 ELSE 2 END;

-- Whether so many edits may lead from one set of letters to the other: each edit takes at most one
-- letter away and brings at most one in.
CREATE OR REPLACE MACRO fdnix_may_be(letters, others, edits) AS
    bit_count(letters & ~others) <= edits AND bit_count(others & ~letters) <= edits;

-- 32 bits that stand for a word. MD5, because DuckDB's own hash may change between its versions.
CREATE OR REPLACE MACRO fdnix_hash(s) AS (md5_number_lower(s) & 4294967295)::UINTEGER;
