//! The known name that a mistyped one may mean.

/// How alike two names must be, from 0 to 1 (Jaro similarity); clap uses the same bound for its own suggestions.
const ALIKE: f64 = 0.7;

/// The candidate that is most like `word`, if any is. A short word is like many others, so the result is a question, not an answer.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = candidates.into_iter().map(|name| (strsim::jaro(word, name), name)).filter(|(likeness, _)| *likeness > ALIKE);
    // Of names that are equally alike the first is taken.
    alike.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_its_nearest() {
        let names = ["prod", "staging", "dev", "kube-system", "metadata-address", "unanswered-connection"];
        let rows = [
            ("prdo", Some("prod")),
            ("production", Some("prod")),
            ("stagging", Some("staging")),
            ("metadata-adress", Some("metadata-address")),
            ("unanswered", Some("unanswered-connection")),
            ("zzz", None),
            ("", None),
        ];
        for (word, expected) in rows {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
        assert_eq!(nearest("prod", []), None);
    }
}
