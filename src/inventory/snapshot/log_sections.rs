//! What kubectl prints in, the same without what is no object out: logs of containers, warnings and errors.
//!
//! Printed to one file, `kubectl cluster-info dump` has lists of objects and, between them, the log of every container:
//!
//! ```text
//! ==== START logs for container main of pod shop/web ====
//! …
//! ==== END logs for container main of pod shop/web ====
//! ```
//!
//! (kubernetes/kubernetes, `staging/src/k8s.io/kubectl/pkg/cmd/clusterinfo/clusterinfo_dump.go`.) A log may hold anything, also
//! JSON, and need not end with a line feed. A line that begins so can be no part of JSON or of YAML below a key. Guaranteed: the
//! length of a log costs time and no memory.
//!
//! A container that knows this format can print the end of its own section, objects, and a beginning of the same section again. So
//! a section that is there twice is reported: what is between the two may be forged.
//!
//! Where standard error went to the same file (`2>&1`), lines of kubectl stand among the objects: `Warning: …`, `error: …`, `Error from
//! server …`, and those of its log library (`E0811 04:57:26.161406 …`). They are left out; errors are reported, because objects may be
//! missing for them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

const START: &[u8] = b"==== START logs for container ";
/// How lines of kubectl's standard error begin; `true` for errors.
const STDERR: [(&[u8], bool); 3] = [(b"Warning: ", false), (b"error: ", true), (b"Error from server", true)];
/// The most errors that are reported.
const ERRORS: usize = 5;
/// The longest line that begins a section: names of container, namespace and pod have 63, 63 and 253 letters at most.
const LONGEST: usize = 1024;

/// What was left out of a file.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// After so many lines that were handed on, so many had been left out.
    lines: Vec<(usize, usize)>,
    kept: usize,
    dropped: usize,
    /// All sections: `container main of pod shop/web`.
    sections: BTreeSet<String>,
    /// Those that were there twice.
    pub(super) repeated: BTreeSet<String>,
    /// The first errors of kubectl.
    pub(super) errors: Vec<String>,
    /// The section in which the file ends.
    pub(super) unfinished: Option<String>,
}

impl LeftOut {
    fn end_dropped_line(&mut self) {
        self.dropped += 1;
        self.note_lines();
    }

    fn note_lines(&mut self) {
        let lines = (self.kept, self.dropped);
        match self.lines.last_mut() {
            Some(last) if last.0 == lines.0 => *last = lines,
            _ => self.lines.push(lines),
        }
    }

    /// The line of the file that was handed on as line `line`; both count from 1.
    pub(super) fn line(&self, line: usize) -> usize {
        let before = self.lines.partition_point(|(kept, _)| *kept < line);
        let dropped = before.checked_sub(1).and_then(|position| self.lines.get(position)).map_or(0, |(_, dropped)| *dropped);
        line + dropped
    }
}

/// A reader that leaves out the sections of logs.
pub(super) struct WithoutLogs<R> {
    inner: BufReader<R>,
    left_out: Rc<RefCell<LeftOut>>,
    state: State,
    /// To be handed on before anything else.
    pending: Vec<u8>,
    taken: usize,
}

enum State {
    /// A line begins.
    LineStart,
    /// Within a line.
    Line,
    /// Within a line that is left out.
    Stderr,
    /// Within the log of this name, which ends with this text.
    Log { name: String, end: Search },
}

impl<R: Read> WithoutLogs<R> {
    pub(super) fn new(inner: R) -> Self {
        let inner = BufReader::with_capacity(64 << 10, inner);
        Self { inner, left_out: Rc::default(), state: State::LineStart, pending: Vec::new(), taken: 0 }
    }

    /// What is left out, so far.
    pub(super) fn left_out(&self) -> Rc<RefCell<LeftOut>> {
        Rc::clone(&self.left_out)
    }

    /// Looks at the beginning of a line: hands it on, leaves it out, or begins a section.
    fn begin_line(&mut self) -> io::Result<()> {
        self.state = State::Line;
        let mut line = Vec::new();
        // Lines that begin otherwise are handed on as they come.
        while line.len() < LONGEST && !line.ends_with(b"\n") && may_be_left_out(&line) {
            let bytes = self.inner.fill_buf()?;
            let Some(&byte) = bytes.first() else { break };
            line.push(byte);
            self.inner.consume(1);
        }
        let mut left_out = self.left_out.borrow_mut();
        if let Some(name) = section(&line) {
            left_out.dropped += 1;
            if !left_out.sections.insert(name.clone()) {
                left_out.repeated.insert(name.clone());
            }
            let end = Search::new(format!("==== END logs for {name} ====").into_bytes());
            self.state = State::Log { name, end };
            return Ok(());
        }
        if let Some(is_error) = of_stderr(&line) {
            if is_error && left_out.errors.len() < ERRORS {
                left_out.errors.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            self.state = State::Stderr;
            if line.ends_with(b"\n") {
                left_out.end_dropped_line();
                self.state = State::LineStart;
            }
            return Ok(());
        }
        drop(left_out);
        self.hand_on(line);
        Ok(())
    }

    fn hand_on(&mut self, bytes: Vec<u8>) {
        // No more than one line.
        if bytes.ends_with(b"\n") {
            self.left_out.borrow_mut().kept += 1;
            self.state = State::LineStart;
        }
        self.pending = bytes;
        self.taken = 0;
    }

    /// Reads on in a line that is left out, to its end at most.
    fn skip_line(&mut self) -> io::Result<()> {
        let bytes = self.inner.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(bytes.len(), |end| end + 1);
        if end.is_some() {
            self.left_out.borrow_mut().end_dropped_line();
            self.state = State::LineStart;
        } else if count == 0 {
            self.state = State::Line;
        }
        self.inner.consume(count);
        Ok(())
    }

    /// Reads on in a section, to its end at most.
    fn skip(&mut self) -> io::Result<()> {
        let State::Log { name, end } = &mut self.state else { return Ok(()) };
        let mut left_out = self.left_out.borrow_mut();
        let bytes = self.inner.fill_buf()?;
        if bytes.is_empty() {
            left_out.unfinished = (!end.is_found()).then(|| std::mem::take(name));
            self.state = State::Line;
            return Ok(());
        }
        let mut count = 0;
        for &byte in bytes {
            count += 1;
            // The text counts where nothing follows it in its line.
            let is_end = end.is_found() && byte == b'\n';
            end.step(byte);
            if byte == b'\n' {
                left_out.dropped += 1;
            }
            if is_end {
                left_out.note_lines();
                self.state = State::LineStart;
                break;
            }
        }
        self.inner.consume(count);
        Ok(())
    }
}

impl<R: Read> Read for WithoutLogs<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.taken < self.pending.len() {
                let rest = &self.pending[self.taken..];
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                self.taken += count;
                return Ok(count);
            }
            match &self.state {
                State::LineStart => {
                    if self.inner.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    self.begin_line()?;
                }
                State::Log { .. } => self.skip()?,
                State::Stderr => self.skip_line()?,
                State::Line => {
                    let bytes = self.inner.fill_buf()?;
                    let length = bytes.len().min(buffer.len());
                    if length == 0 {
                        return Ok(0);
                    }
                    // To the first line that may begin a section.
                    let mut newlines = 0;
                    let mut count = length;
                    for (position, byte) in bytes[..length].iter().enumerate() {
                        if *byte == b'\n' {
                            newlines += 1;
                            if bytes.get(position + 1).is_none_or(|next| is_first_letter(*next)) {
                                count = position + 1;
                                break;
                            }
                        }
                    }
                    buffer[..count].copy_from_slice(&bytes[..count]);
                    if bytes[..count].ends_with(b"\n") {
                        self.state = State::LineStart;
                    }
                    self.inner.consume(count);
                    self.left_out.borrow_mut().kept += newlines;
                    return Ok(count);
                }
            }
        }
    }
}

const fn is_first_letter(byte: u8) -> bool {
    matches!(byte, b'=' | b'W' | b'E' | b'I' | b'F' | b'e')
}

/// Whether a line that begins so may be one that is left out.
fn may_be_left_out(beginning: &[u8]) -> bool {
    let fits = |prefix: &[u8]| beginning.starts_with(&prefix[..prefix.len().min(beginning.len())]);
    // Of a line of standard error, the beginning is enough, unless it is an error, which is reported.
    fits(START)
        || STDERR.iter().any(|(prefix, is_error)| fits(prefix) && (*is_error || beginning.len() < prefix.len()))
        || is_klog(beginning, true)
}

/// Whether a line is one of kubectl's standard error, and if so, whether it is an error.
fn of_stderr(line: &[u8]) -> Option<bool> {
    let known = STDERR.iter().find(|(prefix, _)| line.starts_with(prefix));
    known
        .map(|(_, is_error)| *is_error)
        .or_else(|| is_klog(line, false).then(|| line.starts_with(b"E") || line.starts_with(b"F")))
}

/// Whether a line begins like one of klog: `E0811 04:57:26.161406`; `is_partly` if it may be shorter.
fn is_klog(line: &[u8], is_partly: bool) -> bool {
    const PATTERN: &[u8] = b"L0000 00:00:00.";
    let fits = |(byte, pattern): (&u8, &u8)| match pattern {
        b'L' => matches!(byte, b'I' | b'W' | b'E' | b'F'),
        b'0' => byte.is_ascii_digit(),
        sign => byte == sign,
    };
    (is_partly || line.len() >= PATTERN.len()) && line.iter().zip(PATTERN).all(fits)
}

/// What a line that begins a section says after `logs for`.
fn section(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.trim_end_matches(['\r', '\n']);
    let name = line.strip_prefix("==== START logs for ")?.strip_suffix(" ====")?;
    name.contains(" of pod ").then(|| name.to_owned())
}

/// A text that is looked for byte by byte (Knuth, Morris and Pratt).
struct Search {
    text: Vec<u8>,
    /// For each length, the length of the longest beginning of the text that ends there too.
    borders: Vec<usize>,
    length: usize,
    /// Whether the text is complete, and nothing but a carriage return came after it.
    found: bool,
}

impl Search {
    fn new(text: Vec<u8>) -> Self {
        let mut borders = vec![0; text.len() + 1];
        let mut length = 0;
        for position in 1..text.len() {
            while length > 0 && text[position] != text[length] {
                length = borders[length];
            }
            length += usize::from(text[position] == text[length]);
            borders[position + 1] = length;
        }
        Self { text, borders, length: 0, found: false }
    }

    const fn is_found(&self) -> bool {
        self.found
    }

    fn step(&mut self, byte: u8) {
        if self.found && byte == b'\r' {
            return;
        }
        if self.length == self.text.len() {
            self.length = self.borders[self.length];
        }
        while self.length > 0 && self.text[self.length] != byte {
            self.length = self.borders[self.length];
        }
        self.length += usize::from(self.text[self.length] == byte);
        self.found = self.length == self.text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives so many bytes at a time.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(self.1);
            self.0.read(&mut buffer[..length])
        }
    }

    fn filter(text: &str) -> (String, Rc<RefCell<LeftOut>>) {
        let read = |size: usize| {
            let mut reader = WithoutLogs::new(Pieces(text.as_bytes(), size));
            let mut kept = String::new();
            reader.read_to_string(&mut kept).expect("reads");
            (kept, reader.left_out())
        };
        let (kept, left_out) = read(1 << 20);
        for size in [1, 2, 7, 30, 31] {
            assert_eq!(read(size).0, kept, "in pieces of {size}");
        }
        (kept, left_out)
    }

    fn log(text: &str) -> String {
        format!(
            "==== START logs for container c of pod shop/web ====\n{text}==== END logs for container c of pod shop/web ====\n"
        )
    }

    #[test]
    fn logs_are_left_out_and_nothing_else() {
        let twice = "x ==== END logs for container c of pod shop/web ====, it said\n".repeat(3);
        for (message, text, expected) in [
            ("no log", "{\n}\n".to_owned(), "{\n}\n"),
            ("a log between", format!("{{\n}}\n{}{{}}\n", log("hello {\"a\":1}\n")), "{\n}\n{}\n"),
            ("an empty log", format!("{}{{}}", log("")), "{}"),
            ("a log without a last line feed", format!("{}{{}}", log("{")), "{}"),
            ("a log that is JSON", format!("{}{{}}", log("{\"kind\": \"Pod\"}\n")), "{}"),
            ("two logs", format!("{}{}{{}}", log("a\n"), log("b\n").replace("container c", "container d")), "{}"),
            ("an end in a sentence", format!("{}{{}}", log(&twice)), "{}"),
            ("another's end", format!("{}{{}}", log("==== END logs for container d of pod shop/web ====\n")), "{}"),
            ("nearly an end", format!("{}{{}}", log("========= END logs for container c of pod shop/web ===\n")), "{}"),
            ("two beginnings of an end", format!("{}{{}}", log("==== END logs ")), "{}"),
            ("Windows lines", format!("{{}}\r\n{}{{}}", log("a\n").replace('\n', "\r\n")), "{}\r\n{}"),
            (
                "a beginning within a line",
                "x ==== START logs for container c of pod shop/web ====\n".into(),
                "x ==== START logs for container c of pod shop/web ====\n",
            ),
            ("other lines of signs", "====\n==== START logs\n".into(), "====\n==== START logs\n"),
            ("warnings", "Warning: v1 Endpoints is deprecated\n{}\nWarning: again".into(), "{}\n"),
            ("a line of the log library", "E0811 04:57:26.161406    1 memcache.go:255] x\n{}\n".into(), "{}\n"),
            ("a long line of standard error", format!("error: {}\n{{}}", "x".repeat(3 * LONGEST)), "{}"),
            ("a key that begins so", "Warnings: 1\nE08: 2\nerror_: 3\n".into(), "Warnings: 1\nE08: 2\nerror_: 3\n"),
            ("nothing", String::new(), ""),
            ("no end", format!("{{}}\n{}", log("").lines().next().unwrap_or_default()), "{}\n"),
        ] {
            assert_eq!(filter(&text).0, expected, "{message}");
        }
    }

    #[test]
    fn lines_are_counted_as_in_the_file() {
        let text = format!("1\n2\n{}6\n{}10\n", log("4\n"), log("8\n").replace("container c", "container d"));
        let (kept, left_out) = filter(&text);
        let left_out = left_out.borrow();
        for (position, line) in kept.lines().enumerate() {
            assert_eq!(left_out.line(position + 1).to_string(), line);
        }
        assert_eq!((left_out.repeated.len(), &left_out.unfinished), (0, &None));
    }

    #[test]
    fn errors_of_kubectl_are_kept_for_the_report() {
        let text = "I0811 04:57:26.161406 1 a.go:1] fine\nerror: no widgets\n{}\nError from server (Forbidden): no\r\nE0811 04:57:26.161406 1 b.go:1] bad\n5\n";
        let (kept, left_out) = filter(text);
        let left_out = left_out.borrow();
        assert_eq!(kept, "{}\n5\n");
        let expected = ["error: no widgets", "Error from server (Forbidden): no", "E0811 04:57:26.161406 1 b.go:1] bad"];
        assert_eq!(left_out.errors, expected);
        assert_eq!((left_out.line(1), left_out.line(2)), (3, 6));
    }

    #[test]
    fn a_log_that_imitates_its_end_is_noticed() {
        let forged =
            log("==== END logs for container c of pod shop/web ====\n{}\n==== START logs for container c of pod shop/web ====\n");
        let (kept, left_out) = filter(&forged);
        assert_eq!(kept, "{}\n");
        assert_eq!(left_out.borrow().repeated, BTreeSet::from(["container c of pod shop/web".to_owned()]));
        let (_, left_out) = filter("==== START logs for container c of pod shop/web ====\nx");
        assert_eq!(left_out.borrow().unfinished.as_deref(), Some("container c of pod shop/web"));
    }
}
