//! Text in any of the encodings that tools write in, UTF-8 out.
//!
//! In: UTF-8, with or without a byte order mark, and UTF-16 in either byte order (`>` of Windows PowerShell writes it). Out: UTF-8
//! without a mark, piece by piece. What is neither passes through unchanged: whoever reads it sees that it is no text.

use std::io::{self, Read};

/// How many bytes are looked at to tell the encoding.
const HEAD: u64 = 64;
/// How many bytes of UTF-16 are converted at a time.
const PIECE: usize = 8 << 10;

/// The text of a file in UTF-8.
pub(super) fn utf8<'r>(mut file: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head)?;
    let (order, mark) = match head[..] {
        // UTF-32, which nobody writes; it stays what it is.
        [0xff, 0xfe, 0, 0, ..] => (None, 0),
        [0xff, 0xfe, ..] => (Some(Order::Little), 2),
        [0xfe, 0xff, ..] => (Some(Order::Big), 2),
        [0xef, 0xbb, 0xbf, ..] => (None, 3),
        _ => (order_without_mark(&head), 0),
    };
    let whole = io::Cursor::new(head.split_off(mark)).chain(file);
    Ok(match order {
        Some(order) => Box::new(Utf16 { inner: whole, order, units: Vec::new(), text: Vec::new(), taken: 0 }),
        None => Box::new(whole),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// The byte order of UTF-16 that has no mark: of its first characters, which are ASCII in JSON and YAML, one byte is zero. Wrong
/// for a text that begins with other letters, which is then no text at all to those who read on.
fn order_without_mark(head: &[u8]) -> Option<Order> {
    let pairs: Vec<[u8; 2]> = head.as_chunks::<2>().0.iter().take(8).copied().collect();
    let is_ascii = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let is_all = |first: fn([u8; 2]) -> (u8, u8)| {
        pairs.len() >= 2 && pairs.iter().all(|pair| matches!(first(*pair), (letter, 0) if is_ascii(letter)))
    };
    if is_all(|[letter, zero]| (letter, zero)) {
        Some(Order::Little)
    } else if is_all(|[zero, letter]| (letter, zero)) {
        Some(Order::Big)
    } else {
        None
    }
}

/// A reader that converts UTF-16. A half of a pair, or of a character at the end, becomes U+FFFD.
struct Utf16<R> {
    inner: R,
    order: Order,
    /// Bytes that are not converted yet: an odd one, and half of a pair.
    units: Vec<u8>,
    text: Vec<u8>,
    taken: usize,
}

impl<R: Read> Utf16<R> {
    fn convert(&mut self) -> io::Result<()> {
        let before = self.units.len();
        self.units.resize(before + PIECE, 0);
        let count = self.inner.read(&mut self.units[before..])?;
        self.units.truncate(before + count);
        let is_end = count == 0;
        let (pairs, rest) = self.units.as_chunks::<2>();
        let mut units: Vec<u16> = pairs
            .iter()
            .map(|pair| match self.order {
                Order::Little => u16::from_le_bytes(*pair),
                Order::Big => u16::from_be_bytes(*pair),
            })
            .collect();
        let mut kept = rest.to_vec();
        if is_end {
            units.extend((!kept.is_empty()).then_some(0xfffd));
            kept.clear();
        } else if let Some(0xd800..=0xdbff) = units.last()
            && let Some(pair) = pairs.last()
        {
            units.pop();
            kept.splice(0..0, *pair);
        }
        let letters = char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER));
        self.text = letters.collect::<String>().into_bytes();
        self.taken = 0;
        self.units = kept;
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.text.len() {
            self.convert()?;
            if self.text.is_empty() && self.units.is_empty() {
                return Ok(0);
            }
        }
        let rest = &self.text[self.taken..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(1);
            self.0.read(&mut buffer[..length])
        }
    }

    fn read(bytes: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        utf8(Slow(bytes)).expect("reads").read_to_end(&mut read).expect("reads");
        let mut at_once = Vec::new();
        utf8(bytes).expect("reads").read_to_end(&mut at_once).expect("reads");
        assert_eq!(read, at_once, "however it comes");
        read
    }

    #[test]
    fn every_encoding_gives_the_same_text() {
        let text = "{\"kind\": \"größe €\u{1f600}\"}\r\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (message, mark, bytes) in [
            ("UTF-8", &b""[..], text.as_bytes()),
            ("UTF-8 with a mark", b"\xef\xbb\xbf", text.as_bytes()),
            ("little endian", b"\xff\xfe", &little),
            ("big endian", b"\xfe\xff", &big),
            ("little endian without a mark", b"", &little),
            ("big endian without a mark", b"", &big),
        ] {
            let bytes = [mark, bytes].concat();
            assert_eq!(String::from_utf8(read(&bytes)).expect("UTF-8"), text, "{message}");
        }
        let long = "[0]".repeat(PIECE) + "\u{1f600}";
        let long_bytes: Vec<u8> = long.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&long_bytes), long.as_bytes(), "pieces fit together");
    }

    #[test]
    fn what_is_no_text_stays_as_it_is() {
        for (message, bytes, expected) in [
            ("nothing", &b""[..], &b""[..]),
            ("one byte", b"x", b"x"),
            ("half a character", b"\xff\xfea\0b", "a\u{fffd}".as_bytes()),
            ("half a pair", b"\xff\xfea\0\x00\xd8b\0", "a\u{fffd}b".as_bytes()),
            ("zeros", b"\0\0\0\0", b"\0\0\0\0"),
            ("a number", b"\x01\0\0\0\x02\0\0\0", b"\x01\0\0\0\x02\0\0\0"),
            ("UTF-32", b"\xff\xfe\0\0a\0\0\0", b"\xff\xfe\0\0a\0\0\0"),
        ] {
            assert_eq!(read(bytes), expected, "{message}");
        }
    }
}
