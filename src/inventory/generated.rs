//! Names and values that programs make up: random suffixes, hashes, times.
//!
//! All of it is guessing by form. It is wrong for a name that happens to have the form (`api-https` ends like a generated name);
//! what the API says (`generateName`) goes before.

/// The letters of generated names (`SafeEncodeString` and `rand.String` of k8s.io/apimachinery, pkg/util/rand/rand.go).
const ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";
/// Letters of the suffix that the API server appends to `generateName`.
const SUFFIX: usize = 5;
/// Letters of a template hash: a 32-bit number in decimal digits, each of which is encoded.
const HASH: std::ops::RangeInclusive<usize> = 8..=10;
/// Digits of a time since 1970, in seconds or less.
const TIME: usize = 10;
/// Characters of a UID.
const UUID: usize = 36;

fn is_encoded(word: &str) -> bool {
    word.chars().all(|letter| ALPHABET.contains(letter))
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether it is a suffix as the API server appends it to `generateName`.
pub(super) fn is_suffix(word: &str) -> bool {
    word.len() == SUFFIX && is_encoded(word)
}

/// The name without what was appended for one run or object: five generated letters, or what [`run_stem`] takes off.
pub(super) fn stem(name: &str) -> Option<&str> {
    let suffixed = name.rsplit_once('-').filter(|(_, last)| is_suffix(last)).map(|(stem, _)| run_stem(stem).unwrap_or(stem));
    suffixed.or_else(|| run_stem(name)).filter(|stem| !stem.is_empty())
}

/// The name without what a client appended for one run: a UID, a date, a time, a hash, a random word. Empty where all of the name was
/// made up.
pub(super) fn run_stem(name: &str) -> Option<&str> {
    let separators = ['-', '_', '.'];
    let uuid = name.len().checked_sub(UUID).filter(|start| name.get(*start..).is_some_and(is_uuid));
    let word = name.rfind(separators).map_or(0, |position| position + 1);
    let last = || name.get(word..).filter(|last| is_made(last)).map(|_| word);
    let start = uuid.or_else(|| date_at_end(name)).or_else(last)?;
    name.get(..start).map(|stem| stem.trim_end_matches(separators))
}

/// Whether a word was made up: a serial number or time, a hash, random letters and digits.
fn is_made(word: &str) -> bool {
    is_number(word) && word.len() >= TIME || is_hexadecimal(word) || is_hash(word) || is_random(word)
}

/// Whether a name or value was made up as a whole.
pub(super) fn is_whole(name: &str) -> bool {
    run_stem(name).is_some_and(str::is_empty)
}

/// Where a date begins that only a time of the day or generated letters follow: `etl-2026-11-30`, `etl-20261130-0200`.
fn date_at_end(name: &str) -> Option<usize> {
    let words: Vec<&str> = name.split(['-', '_', '.']).collect();
    let is_time_of_day = |word: &&str| word.len() <= 6 && is_number(word) || is_suffix(word) || word.eq_ignore_ascii_case("z");
    let ends = |position: &usize| {
        let length = date_length(&words[*position..]).unwrap_or_default();
        length > 0 && words[position + length..].iter().all(is_time_of_day)
    };
    let position = (0..words.len()).find(ends)?;
    Some(words[..position].iter().map(|word| word.len() + 1).sum())
}

/// Whether it ends in a date, perhaps with a time of the day: people name what they restore so.
pub(super) fn is_dated(name: &str) -> bool {
    date_at_end(name).is_some()
}

/// How many words the date takes that begins these: `20261130` one, `2026-11-30` three; nothing if none begins.
fn date_length(words: &[&str]) -> Option<usize> {
    match words {
        [word, ..] if is_date_word(word) => Some(1),
        [year, month, day, ..] if year.len() == 4 && month.len() == 2 => {
            day.split_at_checked(2).filter(|(day, _)| is_date_word(&format!("{year}{month}{day}"))).map(|_| 3)
        }
        _ => None,
    }
}

/// Whether it begins with eight digits that are a date of this century, and a time of the day follows if anything:
/// `20261130`, `20261130T0200Z`.
fn is_date_word(word: &str) -> bool {
    let Some((digits, rest)) = word.split_at_checked(8) else { return false };
    let number = |range: std::ops::Range<usize>| digits.get(range).and_then(|part| part.parse::<u8>().ok()).unwrap_or_default();
    let is_date =
        digits.starts_with("20") && is_number(digits) && (1..=12).contains(&number(4..6)) && (1..=31).contains(&number(6..8));
    let time = rest.trim_start_matches(['t', 'T']).trim_end_matches(['z', 'Z']);
    is_date && (rest.is_empty() || time.len() < rest.len() && (time.is_empty() || is_number(time)))
}

/// The name without a number at its end: of the revision `api-7` it is `api`.
pub(super) fn without_number(name: &str) -> Option<&str> {
    let (stem, last) = name.rsplit_once('-')?;
    (!stem.is_empty() && is_number(last)).then_some(stem)
}

/// What the form of a label's value says, as the rest of a sentence; nothing for a plain word.
pub(super) fn form(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        return None;
    }
    if is_uuid(value) {
        return Some("is a UID");
    }
    if is_date(value) {
        return Some("is a date");
    }
    let words: Vec<&str> = value.split(['-', '_', '.']).collect();
    if (0..words.len()).any(|position| date_length(&words[position..]).is_some()) {
        return Some("holds a date");
    }
    if words.iter().any(|word| is_number(word) && word.len() >= TIME) {
        return Some("holds a time or a serial number");
    }
    if words.iter().any(|word| is_hexadecimal(word)) {
        return Some("holds a hash");
    }
    if words.iter().any(|word| is_random(word)) {
        return Some("holds random letters");
    }
    let last = words.last().copied().unwrap_or_default();
    if is_hash(last) {
        return Some("holds a hash");
    }
    // A build's number and a suffix (jenkinsci/kubernetes-plugin, PodUtils.java).
    let is_build = words.len() > 2 && last.len() == SUFFIX && words.get(words.len() - 2).is_some_and(|word| is_number(word));
    if is_build && last.chars().all(|letter| letter.is_ascii_digit() || ALPHABET.contains(letter)) {
        return Some("holds the number of a run");
    }
    // Five letters without a digit may be a word (`https`).
    (is_suffix(last) && is_mixed(last)).then_some("holds a generated name")
}

/// Whether letters and digits are mixed. A letter before a number is a serial number (`z2456`).
fn is_mixed(word: &str) -> bool {
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    letters > 1 && letters < word.len()
}

/// Whether it may be a template hash, or as many random letters: no word of this length lacks vowels.
fn is_hash(word: &str) -> bool {
    HASH.contains(&word.len()) && is_encoded(word) && word.bytes().filter(u8::is_ascii_alphabetic).count() > 1
}

/// Whether letters and digits follow each other more often than in a word or a version (`axt25d8wr9f5xkkq2jfm`).
fn is_random(word: &str) -> bool {
    let changes = word.as_bytes().windows(2).filter(|two| two[0].is_ascii_digit() != two[1].is_ascii_digit()).count();
    let is_long = word.len() >= 16 && changes >= 3 || word.len() >= 12 && changes >= 5;
    is_long && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether it is 8 to 64 hexadecimal digits, letters and digits among them unless it is long: `20231234` is a number.
fn is_hexadecimal(word: &str) -> bool {
    let is_digits = (8..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has = |of: fn(&u8) -> bool| word.bytes().any(|byte| of(&byte));
    is_digits && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// Whether it may be a commit as Git shortens it: seven hexadecimal digits or more, letters and digits among them.
pub(super) fn is_short_hash(word: &str) -> bool {
    let has = |of: fn(&u8) -> bool| word.bytes().any(|byte| of(&byte));
    word.len() >= 7
        && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
}

fn is_uuid(value: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let words: Vec<&str> = value.split('-').collect();
    let is_part = |(word, length): (&&str, &usize)| word.len() == *length && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    words.len() == lengths.len() && words.iter().zip(&lengths).all(is_part)
}

/// `2026-11-30`, `20261130`, with a time of the day or without.
fn is_date(value: &str) -> bool {
    let digits: String = value.chars().filter(|letter| *letter != '-').take(8).collect();
    let starts = value.starts_with("20") && is_number(&digits) && digits.len() == 8;
    let number = |range: std::ops::Range<usize>| digits.get(range).and_then(|part| part.parse::<u8>().ok()).unwrap_or_default();
    let has_form = value.len() == 8 || value.as_bytes().get(4) == Some(&b'-') || value.as_bytes().get(8) == Some(&b'T');
    starts && has_form && (1..=12).contains(&number(4..6)) && (1..=31).contains(&number(6..8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_have_a_stem() {
        let rows = [
            ("hello-x7k2p", Some("hello")),
            ("etl-1790000000", Some("etl")),
            ("orders-db", None),
            ("orders-db-1", None),
            ("api-nginx", None),
            ("-x7k2p", None),
            ("api-https", Some("api")),
            ("build-aaaaaaaa-0000-4000-8000-000000000001", Some("build")),
            ("etl-2026-11-30", Some("etl")),
            ("etl-20261130", Some("etl")),
            ("etl-20261130-020000", Some("etl")),
            ("etl-20261130t020000z", Some("etl")),
            ("etl.2026.11.30", Some("etl")),
            ("etl-2026-11-30-x7k2p", Some("etl")),
            ("etl-2026-11-30-report", None),
            ("etl-2026-13-30", None),
            ("scan-6d4cf56db6", Some("scan")),
            ("trial-bcdfghjk", Some("trial")),
            ("run-8b71b8ec3f68", Some("run")),
            ("run-axt25d8wr9f5xkkq2jfm", Some("run")),
            ("axt25d8wr9f5xkkq2jfm", None),
            ("web-amd64", None),
            ("k8s-dashboard", None),
            ("postgres-15-3", None),
        ];
        for (name, expected) in rows {
            assert_eq!(stem(name), expected, "{name}");
        }
        let rows = [
            ("axt25d8wr9f5xkkq2jfm", Some("")),
            ("0a1b2c3d4e5f60718293a4b5c6d7e8f9", Some("")),
            ("aaaaaaaa-0000-4000-8000-000000000001", Some("")),
            ("hello-x7k2p", None),
            ("hello", None),
        ];
        for (name, expected) in rows {
            assert_eq!(run_stem(name), expected, "{name}");
        }
    }

    #[test]
    fn values_that_were_made_up_are_known_by_their_form() {
        let rows = [
            ("aaaaaaaa-0000-4000-8000-000000000001", Some("is a UID")),
            ("spark-8b71b8ec3f6843428f2b9e8ea9b1bfb6", Some("holds a hash")),
            ("6cdb874f56", Some("holds a hash")),
            ("prometheus-k8s-jwdc4cplz", Some("holds a hash")),
            ("1790000000123", Some("holds a time or a serial number")),
            ("2026-11-30", Some("is a date")),
            ("20261130", Some("is a date")),
            ("2026-11-30T10.00.00", Some("is a date")),
            ("hello-x7k2p", Some("holds a generated name")),
            ("shop_12-x0k1p", Some("holds the number of a run")),
            ("before-2026-11-30", Some("holds a date")),
            ("2026.11.30", Some("holds a date")),
            ("01jdv8q3xk5w7r9m2c4n6p8t0z", Some("holds random letters")),
            ("redhat-operators", None),
            ("kubernetes-control-plane", None),
            ("ubuntu2404", None),
            ("https", None),
            ("z2456", None),
            ("postgres", None),
            ("defaced", None),
            ("12345678", None),
            ("20991399", None),
            ("v1", None),
            ("", None),
        ];
        for (value, expected) in rows {
            assert_eq!(form(value), expected, "{value}");
        }
    }
}
