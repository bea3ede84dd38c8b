//! Records in, lines of a flow file out.
//!
//! What comes out is the JSON that serde writes of a [`Record`], to the byte. Conversations, of which a busy node may have tens of
//! thousands a second, are written without it, in pieces whose lengths the compiler knows.

use std::io::Write;
use std::net::IpAddr;

use super::record::{Conversation, DEEDS, End, Opening, Record};
use crate::model::Timestamp;

/// Seconds that are remembered, each in the place of its last digits.
const SECONDS: u8 = 64;
/// Bytes of room for a line, or a piece of one.
const ROOM: usize = 4096;
/// More than an opening takes, or all of a line but its openings.
const PIECE: usize = 1024;

/// Writes records as lines, and remembers how seconds and deeds are written.
#[derive(Clone, Debug)]
pub struct Lines {
    text: Text,
    seconds: [(i64, [u8; 19]); SECONDS as usize],
    /// By their bits.
    deeds: Vec<String>,
}

impl Default for Lines {
    fn default() -> Self {
        let deeds = (0..1u8 << DEEDS.len()).map(|bits| {
            let words: Vec<_> = (0..).zip(DEEDS).filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, word)| word).collect();
            if words.is_empty() { String::new() } else { format!(r#","did":["{}"]"#, words.join(r#"",""#)) }
        });
        Self { text: Text::default(), seconds: [(i64::MIN, [0; 19]); SECONDS as usize], deeds: deeds.collect() }
    }
}

impl Lines {
    /// Adds a record's line, with its end, to `out`.
    ///
    /// # Errors
    /// When there is no JSON of it; something of it may have been added then.
    pub fn write(&mut self, record: &Record, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        match record {
            Record::Conversation(conversation) if is_usual(conversation) => self.conversation(conversation, out),
            other => {
                serde_json::to_writer(&mut *out, other)?;
                out.push(b'\n');
            }
        }
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation, out: &mut Vec<u8>) {
        let Conversation { protocol, first, last, ends: [one, other], openings, .. } = conversation;
        self.text.put(br#"{"conversation":{"protocol":""#);
        self.text.put_any(protocol.name().as_bytes());
        self.text.put(br#"","first":""#);
        self.time(*first);
        if let Some(last) = last {
            self.text.put(br#","last":"#);
            self.text.number(last.0);
        }
        self.text.put(br#","ends":["#);
        self.end(one);
        self.text.put(b",");
        self.end(other);
        self.text.put(b"]");
        if let [first, rest @ ..] = openings.as_slice() {
            self.text.put(br#","openings":["#);
            self.opening(first);
            for opening in rest {
                self.text.put(b",");
                self.opening(opening);
                if self.text.length > ROOM - PIECE {
                    self.text.flush(out);
                }
            }
            self.text.put(b"]");
        }
        if conversation.ordered != 0 {
            self.text.put(br#","ordered":"#);
            self.text.number(conversation.ordered.into());
        }
        self.text.put(b"}}\n");
        self.text.flush(out);
    }

    fn end(&mut self, end: &End) {
        let End { address, port, heard, carried, acknowledges, did, tenths, stations } = end;
        self.text.put(br#"{"address":""#);
        self.text.address(*address);
        self.text.put(br#"","port":"#);
        self.text.number((*port).into());
        if let Some([first, last]) = heard {
            self.text.put(br#","heard":["#);
            self.text.number(first.0);
            self.text.put(b",");
            self.text.number(last.0);
            self.text.put(b"]");
        }
        if let Some(carried) = carried {
            self.text.put(br#","carried":"#);
            self.text.number(carried.0);
        }
        if let Some(number) = acknowledges {
            self.text.put(br#","acknowledges":"#);
            self.text.number((*number).into());
        }
        self.text.put_any(self.deeds[usize::from(did.0)].as_bytes());
        if *tenths != 0 {
            self.text.print(format_args!(r#","tenths":"{tenths:x}""#));
        }
        // There are two at most, or else there would not be room for them.
        for (position, stations) in stations.iter().enumerate() {
            let (sender, receiver, marks) = (*stations).into();
            if position == 0 {
                self.text.put(br#","stations":[["#);
            } else {
                self.text.put(b",[");
            }
            self.text.number(sender);
            self.text.put(b",");
            self.text.number(receiver);
            self.text.put(b",");
            self.text.number(marks.into());
            self.text.put(b"]");
        }
        if !stations.is_empty() {
            self.text.put(b"]");
        }
        self.text.put(b"}");
    }

    fn opening(&mut self, opening: &Opening) {
        let Opening { by, number, after, answer, rejected } = opening;
        self.text.put(br#"{"by":"#);
        self.text.number((*by).into());
        self.text.put(br#","number":"#);
        self.text.number((*number).into());
        self.text.put(br#","after":"#);
        self.text.number(after.0);
        if let Some(answer) = answer {
            self.text.put(br#","answer":"#);
            self.text.number((*answer).into());
        }
        if *rejected {
            self.text.put(br#","rejected":true"#);
        }
        self.text.put(b"}");
    }

    /// RFC 3339 in UTC, with as many digits as are needed, and the quotation mark behind it.
    #[inline]
    fn time(&mut self, at: Timestamp) {
        const SECOND: i64 = 1_000_000_000;
        let second = at.0.div_euclid(SECOND);
        let mut fraction = u32::try_from(at.0.rem_euclid(SECOND)).unwrap_or_default();
        let place = usize::try_from(second.rem_euclid(SECONDS.into())).unwrap_or_default();
        let known = &mut self.seconds[place];
        if known.0 != second {
            *known = (second, written(second));
        }
        self.text.put(&known.1);
        let mut digits = *b".000000000";
        for pair in digits[2..].as_chunks_mut().0.iter_mut().rev() {
            *pair = PAIRS[fraction as usize % 100];
            fraction /= 100;
        }
        digits[1] = PAIRS[fraction as usize % 100][1];
        self.text.put(&digits);
        if digits[9] == b'0' {
            let needed = digits.iter().rposition(|digit| *digit != b'0').unwrap_or_default();
            self.text.length -= digits.len() - if needed == 0 { 0 } else { needed + 1 };
        }
        self.text.put(b"Z\"");
    }
}

/// Whether there is nothing in it but what nearly all have.
fn is_usual(conversation: &Conversation) -> bool {
    conversation.tunnels.is_empty()
        && conversation.refused_by.is_empty()
        && conversation.ends.iter().all(|end| end.stations.len() <= 2)
}

/// Room that is written to by place.
#[derive(Clone, Debug)]
struct Text {
    bytes: Box<[u8; ROOM]>,
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: Box::new([0; ROOM]), length: 0 }
    }
}

impl Text {
    #[inline]
    fn put<const N: usize>(&mut self, piece: &[u8; N]) {
        if let Some(room) = self.bytes[self.length..].first_chunk_mut() {
            *room = *piece;
            self.length += N;
        }
    }

    fn put_any(&mut self, piece: &[u8]) {
        self.bytes[self.length..][..piece.len()].copy_from_slice(piece);
        self.length += piece.len();
    }

    #[inline]
    fn number(&mut self, mut number: u64) {
        let length = number.checked_ilog10().unwrap_or_default() as usize + 1;
        let (first, pairs) = self.bytes[self.length..][..length].as_rchunks_mut();
        for pair in pairs.iter_mut().rev() {
            *pair = PAIRS[(number % 100) as usize];
            number /= 100;
        }
        if let [first] = first {
            *first = PAIRS[(number % 100) as usize][1];
        }
        self.length += length;
    }

    #[inline]
    fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => {
                let [first, second, third, fourth] = address.octets();
                self.number(first.into());
                for octet in [second, third, fourth] {
                    self.put(b".");
                    self.number(octet.into());
                }
            }
            IpAddr::V6(address) => self.print(format_args!("{address}")),
        }
    }

    fn print(&mut self, text: std::fmt::Arguments<'_>) {
        let room = &mut self.bytes[self.length..];
        let before = room.len();
        let mut rest: &mut [u8] = room;
        // What is printed here is far shorter than the room.
        let _ = rest.write_fmt(text);
        self.length += before - rest.len();
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.length]);
        self.length = 0;
    }
}

/// The numbers up to 99, in two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1u8;
    }
    pairs
};

/// A second up to its fraction, as `2023-11-14T22:13:20`. Times in nanoseconds reach from 1677 to 2262, so it always has this form.
fn written(second: i64) -> [u8; 19] {
    let text = jiff::Timestamp::from_second(second).unwrap_or_default().to_string();
    text.as_bytes().first_chunk().copied().unwrap_or([b'0'; 19])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::any;
    use super::*;

    fn any_time() -> impl Strategy<Value = Timestamp> + Clone {
        let second = 1_700_000_000_000_000_000i64;
        prop_oneof![
            any::<i64>().prop_map(Timestamp),
            (0i64..200).prop_map(move |tenths| Timestamp(second + tenths * 100_000_000)),
            (0i64..3_000_000_000).prop_map(move |nanoseconds| Timestamp(second + nanoseconds)),
            (-3_000_000_000i64..3).prop_map(Timestamp),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn a_line_is_what_serde_writes(conversations in proptest::collection::vec(any::conversation(any_time()), 1..4)) {
            let mut lines = Lines::default();
            for conversation in conversations {
                let record = Record::Conversation(conversation);
                let mut line = Vec::new();
                lines.write(&record, &mut line).expect("JSON");
                let expected = serde_json::to_string(&record).expect("JSON") + "\n";
                prop_assert_eq!(String::from_utf8(line).expect("text"), expected);
            }
        }
    }

    #[test]
    fn other_records_are_lines_too() {
        let mut line = Vec::new();
        Lines::default().write(&Record::End { at: Timestamp(1_500_000_000) }, &mut line).expect("JSON");
        assert_eq!(line, b"{\"end\":{\"at\":\"1970-01-01T00:00:01.5Z\"}}\n");
    }
}
