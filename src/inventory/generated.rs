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

/// The name without what was appended for one run or object: five generated letters, or a time.
pub(super) fn stem(name: &str) -> Option<&str> {
    let (stem, last) = name.rsplit_once('-')?;
    let is_time = is_number(last) && last.len() >= TIME;
    (!stem.is_empty() && (is_suffix(last) || is_time)).then_some(stem)
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
    if words.iter().any(|word| is_number(word) && word.len() >= TIME) {
        return Some("holds a time or a serial number");
    }
    if words.iter().any(|word| is_hexadecimal(word)) {
        return Some("holds a hash");
    }
    let last = words.last().copied().unwrap_or_default();
    // A letter before a number is a serial number (`z2456`).
    let letters = last.bytes().filter(u8::is_ascii_alphabetic).count();
    let is_mixed = letters > 1 && letters < last.len();
    if HASH.contains(&last.len()) && is_mixed && is_encoded(last) {
        return Some("holds a hash");
    }
    // A build's number and a suffix (jenkinsci/kubernetes-plugin, PodUtils.java).
    let is_build = words.len() > 2 && last.len() == SUFFIX && words.get(words.len() - 2).is_some_and(|word| is_number(word));
    if is_build && last.chars().all(|letter| letter.is_ascii_digit() || ALPHABET.contains(letter)) {
        return Some("holds the number of a run");
    }
    // Five letters without a digit may be a word (`https`).
    (is_suffix(last) && is_mixed).then_some("holds a generated name")
}

/// Whether it is 8 to 64 hexadecimal digits, letters and digits among them unless it is long: `20231234` is a number.
fn is_hexadecimal(word: &str) -> bool {
    let is_digits = (8..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has = |of: fn(&u8) -> bool| word.bytes().any(|byte| of(&byte));
    is_digits && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
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
        ];
        for (name, expected) in rows {
            assert_eq!(stem(name), expected, "{name}");
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
            ("redhat-operators", None),
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
