//! Hostile text made harmless for each place it goes to: comments, terminals, Markdown, JSON.
//!
//! Names in DNS packets, labels and annotations are whatever someone wrote. Nothing here changes harmless text.

use std::fmt::Write as _;

use serde::Serialize;

/// Whether a letter shows what it is: no control character, no line or paragraph separator, no change of direction, nothing
/// invisible. Tab counts as a control character.
#[must_use]
pub fn is_printable(letter: char) -> bool {
    !(letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{10ffff}'))
}

/// The text on one line of at most `limit` characters; what is not printable is written as `\u{..}`.
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::with_capacity(text.len().min(limit));
    let mut length = 0;
    for letter in text.chars() {
        let start = line.len();
        match letter {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            _ if is_printable(letter) => line.push(letter),
            _ => {
                let _ = write!(line, "\\u{{{:x}}}", u32::from(letter));
            }
        }
        // Escapes are ASCII; so their bytes are characters.
        length += if line.len() - start == letter.len_utf8() { 1 } else { line.len() - start };
        if length > limit {
            line.truncate(start);
            line.push('…');
            break;
        }
    }
    line
}

/// The text for a terminal, with its line feeds; what else is not printable is written as `\u{..}`.
#[must_use]
pub fn lines(text: &str) -> String {
    text.split('\n').map(|line| one_line(line, usize::MAX)).collect::<Vec<_>>().join("\n")
}

/// JSON text with what is not printable written as `\u` and four hexadecimal digits: the same value to any reader, and harmless on a terminal. JSON by itself
/// escapes only the control characters of ASCII (RFC 8259, section 7).
#[must_use]
pub fn json(text: String) -> String {
    // Outside of strings JSON is ASCII without control characters but line feeds; so this changes strings alone.
    if text.chars().all(|letter| is_printable(letter) || letter == '\n') {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 64);
    for letter in text.chars() {
        if is_printable(letter) || letter == '\n' {
            escaped.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// The value as indented JSON, with what is not printable escaped ([`json`]) and a line feed at its end.
///
/// # Errors
/// A key is no text.
pub fn pretty_json<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(value).map(|text| json(text) + "\n")
}

/// The text for running Markdown and its tables: one line, and nothing of it is markup or HTML.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let line = one_line(text, 400);
    let mut letters = line.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let inside_word = before.is_alphanumeric() && letters.peek().is_some_and(|next| next.is_alphanumeric());
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            // Elsewhere it begins no quotation, and closes no tag that could have been opened.
            '>' if escaped.is_empty() => escaped.push_str("&gt;"),
            // GitHub makes `http://`, mail addresses and `www.` into links; an entity keeps them from being recognised.
            '@' => escaped.push_str("&#64;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' | '#' | '$' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            '_' if !inside_word => escaped.push_str("\\_"),
            '-' | '+' | '=' if escaped.is_empty() => {
                escaped.push('\\');
                escaped.push(letter);
            }
            '!' if letters.peek() == Some(&'[') => escaped.push_str("\\!"),
            _ => escaped.push(letter),
        }
        before = letter;
    }
    escaped.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// The text as Markdown code, in as many backticks as it takes, fit for a table.
#[must_use]
pub fn markdown_code(text: &str) -> String {
    let line = one_line(text, 400);
    if line.trim().is_empty() || line.contains(['`', '|', '\\', '<', '>']) {
        // Inside a table a pipe ends the cell even in code, and backslashes count there and nowhere else: say it as text.
        return format!("“{}”", markdown(&line));
    }
    format!("`{line}`")
}

/// `1 flow`, `2 flows`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// The first `limit` of `items` joined by `, `, then how many more.
#[must_use]
pub fn listed<I: IntoIterator<Item = String>>(items: I, limit: usize) -> String {
    let items: Vec<String> = items.into_iter().collect();
    let shown = items.iter().take(limit).cloned().collect::<Vec<_>>().join(", ");
    if items.len() > limit { format!("{shown} and {} more", items.len() - limit) } else { shown }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_text_is_one_line() {
        for (text, expected) in [
            ("web", "web"),
            ("a\nkind: Evil", "a\\nkind: Evil"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("\u{202e}x", "\\u{202e}x"),
            ("größe", "größe"),
        ] {
            assert_eq!(one_line(text, 80), expected, "{text:?}");
        }
        assert_eq!(one_line("abcdef", 3), "abc…");
    }

    #[test]
    fn hostile_text_is_no_markup() {
        for (text, expected) in [
            ("prod/web-1", "prod/web-1"),
            ("my_pod", "my_pod"),
            ("_x_", "\\_x\\_"),
            ("<script>", "&lt;script>"),
            ("> x", "&gt; x"),
            ("a -> ::/0", "a -> ::/0"),
            ("a|b", "a\\|b"),
            ("[x](http://y)", "\\[x\\](http&#58;//y)"),
            ("# x", "\\# x"),
            ("- x", "\\- x"),
            ("`x`", "\\`x\\`"),
        ] {
            assert_eq!(markdown(text), expected, "{text:?}");
        }
        assert_eq!(markdown_code("a=b"), "`a=b`");
        assert_eq!(markdown_code("a|b"), "“a\\|b”");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(lines("a\u{1b}[2J\n\u{202e}b\n"), "a\\u{1b}[2J\n\\u{202e}b\n");
    }

    #[test]
    fn json_is_the_same_value_and_harmless() {
        let value = serde_json::json!({"a\u{202e}": ["\u{1b}[31m\n\u{9b}", "gr\u{f6}\u{df}e", "\u{e0041}\"\\"]});
        let text = pretty_json(&value).expect("it is JSON");
        assert!(text.chars().all(|letter| is_printable(letter) || letter == '\n'), "{text}");
        assert!(text.contains("\"a\\u202e\"") && text.contains("gr\u{f6}\u{df}e"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("it is JSON"), value);
    }

    #[test]
    fn lists_end_with_what_they_leave_out() {
        let items = || ["a", "b", "c"].map(String::from);
        assert_eq!(listed(items(), 3), "a, b, c");
        assert_eq!(listed(items(), 2), "a, b and 1 more");
    }

    proptest! {
        #[test]
        fn always_one_bounded_line(text in any::<String>(), limit in 0_usize..50) {
            let line = one_line(&text, limit);
            prop_assert!(line.chars().all(is_printable));
            prop_assert!(line.chars().count() <= limit + 1);
        }
    }
}
