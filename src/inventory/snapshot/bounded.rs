//! Reading that ends: a file may be a device, a pipe without end, or something else altogether.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// The longest text that is held: YAML, whose parser wants it whole.
pub(super) const MAX_TEXT: u64 = 512 << 20;
/// How much of JSON may go by without the end of an object. The API takes none above 3 MiB.
pub(super) const MAX_OBJECT: u64 = 32 << 20;

/// Bytes read since the last object came to its end.
pub(super) type Meter = Rc<Cell<u64>>;

/// A reader that fails with [`io::ErrorKind::FileTooLarge`] where an object has no end.
pub(super) struct Metered<R> {
    inner: R,
    meter: Meter,
    limit: u64,
}

impl<R> Metered<R> {
    pub(super) fn new(inner: R, limit: u64) -> Self {
        Self { inner, meter: Meter::default(), limit }
    }

    pub(super) fn meter(&self) -> Meter {
        Rc::clone(&self.meter)
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.meter.get() > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = self.inner.read(buffer)?;
        self.meter.set(self.meter.get().saturating_add(u64::try_from(count).unwrap_or(u64::MAX)));
        Ok(count)
    }
}

/// A failure that was met before its place, kept until a reader comes there.
pub(super) struct Failing(Option<io::Error>);

impl Failing {
    pub(super) const fn new(failure: Option<io::Error>) -> Self {
        Self(failure)
    }
}

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Whether a file that begins so cannot be text: that is seen before any more of it is read.
pub(super) fn is_binary(beginning: &[u8]) -> bool {
    let is_broken = |error: std::str::Utf8Error| error.error_len().is_some();
    beginning.contains(&0) || std::str::from_utf8(beginning).is_err_and(is_broken)
}

/// All that is left, or nothing if it is longer than `limit`.
pub(super) fn read_text(reader: impl Read, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let length = reader.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(u64::try_from(length).is_ok_and(|length| length <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_an_end() {
        let endless = || io::BufReader::new(io::repeat(b'#'));
        assert_eq!(read_text(endless(), 1000).expect("reads"), None);
        assert_eq!(read_text(endless().take(1000), 1000).expect("reads"), Some(vec![b'#'; 1000]));
    }

    #[test]
    fn an_object_has_an_end() {
        let mut endless = Metered::new(io::repeat(b'1'), 1000);
        let meter = endless.meter();
        let mut buffer = [0; 600];
        for _ in 0..10 {
            meter.set(0);
            endless.read_exact(&mut buffer).expect("within the limit");
        }
        endless.read_exact(&mut buffer).expect("the last within the limit");
        let refused = endless.read_exact(&mut buffer).expect_err("beyond it");
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn what_is_no_text_is_seen_at_its_beginning() {
        for (bytes, expected, message) in [
            (&b"kind: Pod"[..], false, "text"),
            ("größe".as_bytes(), false, "text that is not ASCII"),
            (&"größe".as_bytes()[..3], false, "text cut within a letter"),
            (b"", false, "nothing"),
            (b"kind\0", true, "a zero"),
            (b"\xff\xfek\0", true, "UTF-16"),
            (b"\x1f\x8b\x08", true, "gzip"),
        ] {
            assert_eq!(is_binary(bytes), expected, "{message}");
        }
    }
}
