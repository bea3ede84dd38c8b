//! Records in, lines of a flow file out.
//!
//! What comes out is the JSON that serde writes of a [`Record`], to the byte. Conversations, of which a busy node may have tens of
//! thousands a second, are written without it: most of their line are times, and those of one moment share all but their last digits.

use std::io::Write;
use std::net::IpAddr;

use super::record::{Conversation, DEEDS, Deeds, End, Opening, Record};
use crate::model::Timestamp;

/// Seconds that are remembered, each in the place of its last digits.
const SECONDS: usize = 64;

/// Writes records as lines, and remembers how seconds are written.
#[derive(Clone, Debug)]
pub struct Lines {
    seconds: [(i64, [u8; 19]); SECONDS],
}

impl Default for Lines {
    fn default() -> Self {
        Self { seconds: [(i64::MIN, [0; 19]); SECONDS] }
    }
}

impl Lines {
    /// Adds a record's line, with its end, to `out`.
    ///
    /// # Errors
    /// When there is no JSON of it; something of it may have been added then.
    pub fn write(&mut self, record: &Record, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        match record {
            Record::Conversation(conversation) => self.conversation(conversation, out),
            other => serde_json::to_writer(&mut *out, other)?,
        }
        out.push(b'\n');
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation, out: &mut Vec<u8>) {
        /// Longer than nearly all lines.
        const USUAL: usize = 1024;
        let Conversation { protocol, first, last, ends: [one, other], openings } = conversation;
        out.reserve(USUAL);
        out.extend_from_slice(br#"{"conversation":{"protocol":""#);
        out.extend_from_slice(protocol.name().as_bytes());
        self.time(br#"","first":""#, *first, out);
        self.time(br#"","last":""#, *last, out);
        out.extend_from_slice(br#"","ends":["#);
        self.end(one, out);
        out.push(b',');
        self.end(other, out);
        out.push(b']');
        let mut before: &[u8] = br#","openings":["#;
        for opening in openings {
            out.extend_from_slice(before);
            self.opening(opening, out);
            before = b",";
        }
        out.extend_from_slice(if openings.is_empty() { b"}}" } else { b"]}}" });
    }

    fn end(&mut self, end: &End, out: &mut Vec<u8>) {
        let End { address: at, port, first, last, last_carried, did: Deeds(deeds), tenths } = end;
        out.extend_from_slice(br#"{"address":""#);
        address(*at, out);
        out.extend_from_slice(br#"","port":"#);
        number((*port).into(), out);
        let names: [&[u8]; 3] = [br#","first":""#, br#","last":""#, br#","last_carried":""#];
        for (name, at) in names.into_iter().zip([first, last, last_carried]) {
            if let Some(at) = at {
                self.time(name, *at, out);
                out.push(b'"');
            }
        }
        let mut before: &[u8] = br#","did":[""#;
        for (_, deed) in DEEDS.iter().enumerate().filter(|(bit, _)| deeds >> bit & 1 == 1) {
            out.extend_from_slice(before);
            out.extend_from_slice(deed.as_bytes());
            before = br#"",""#;
        }
        if *deeds != 0 {
            out.extend_from_slice(br#""]"#);
        }
        if *tenths != 0 {
            print(out, format_args!(r#","tenths":"{tenths:x}""#));
        }
        out.push(b'}');
    }

    fn opening(&mut self, opening: &Opening, out: &mut Vec<u8>) {
        let Opening { by, number: sent, first, accepted, rejected } = opening;
        out.extend_from_slice(br#"{"by":"#);
        number((*by).into(), out);
        out.extend_from_slice(br#","number":"#);
        number(*sent, out);
        self.time(br#","first":""#, *first, out);
        out.push(b'"');
        if *accepted {
            out.extend_from_slice(br#","accepted":true"#);
        }
        if *rejected {
            out.extend_from_slice(br#","rejected":true"#);
        }
        out.push(b'}');
    }

    /// RFC 3339 in UTC, with as many digits as are needed.
    fn time(&mut self, before: &[u8], at: Timestamp, out: &mut Vec<u8>) {
        const SECOND: i64 = 1_000_000_000;
        let (second, mut fraction) = (at.0.div_euclid(SECOND), at.0.rem_euclid(SECOND).unsigned_abs());
        let known = &mut self.seconds[second.rem_euclid(SECONDS as i64).unsigned_abs() as usize];
        if known.0 != second {
            *known = (second, written(second));
        }
        out.extend_from_slice(before);
        out.extend_from_slice(&known.1);
        let mut digits = *b".000000000";
        for pair in digits[2..].rchunks_exact_mut(2) {
            pair.copy_from_slice(&PAIRS[(fraction % 100) as usize]);
            fraction /= 100;
        }
        digits[1] += fraction as u8;
        let needed = digits.iter().rposition(|digit| *digit != b'0').unwrap_or_default();
        if needed > 0 {
            out.extend_from_slice(&digits[..=needed]);
        }
        out.push(b'Z');
    }
}

/// The numbers up to 99, in two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < pairs.len() {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// A second up to its fraction, as `2023-11-14T22:13:20`. Times in nanoseconds reach from 1677 to 2262, so it always has this form.
fn written(second: i64) -> [u8; 19] {
    let text = jiff::Timestamp::from_second(second).unwrap_or_default().to_string();
    text.as_bytes().first_chunk().copied().unwrap_or([b'0'; 19])
}

fn address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            let [first, rest @ ..] = address.octets();
            number(first.into(), out);
            for octet in rest {
                out.push(b'.');
                number(octet.into(), out);
            }
        }
        IpAddr::V6(address) => print(out, format_args!("{address}")),
    }
}

fn number(mut number: u32, out: &mut Vec<u8>) {
    let mut digits = [0; 10];
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[from..]);
}

fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Memory takes everything.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Protocol;

    fn any_time() -> impl Strategy<Value = Timestamp> + Clone {
        let second = 1_700_000_000_000_000_000i64;
        prop_oneof![
            any::<i64>().prop_map(Timestamp),
            (0i64..200).prop_map(move |tenths| Timestamp(second + tenths * 100_000_000)),
            (0i64..3_000_000_000).prop_map(move |nanoseconds| Timestamp(second + nanoseconds)),
            (-3_000_000_000i64..3).prop_map(Timestamp),
        ]
    }

    fn any_end() -> impl Strategy<Value = End> {
        let address = prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u16; 8]>().prop_map(IpAddr::from)];
        let times = proptest::option::of(any_time());
        let tenths = prop_oneof![Just(0), any::<u64>()];
        (address, any::<u16>(), times.clone(), times.clone(), times, any::<u8>(), tenths).prop_map(
            |(address, port, first, last, last_carried, did, tenths)| End {
                address,
                port,
                first,
                last,
                last_carried,
                did: Deeds(did),
                tenths,
            },
        )
    }

    fn any_conversation() -> impl Strategy<Value = Conversation> {
        let opening = (0u8..2, any::<u32>(), any_time(), any::<bool>(), any::<bool>())
            .prop_map(|(by, number, first, accepted, rejected)| Opening { by, number, first, accepted, rejected });
        let protocol = proptest::sample::select(&Protocol::ALL);
        (protocol, any_time(), any_time(), [any_end(), any_end()], proptest::collection::vec(opening, 0..3))
            .prop_map(|(protocol, first, last, ends, openings)| Conversation { protocol, first, last, ends, openings })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn a_line_is_what_serde_writes(conversations in proptest::collection::vec(any_conversation(), 1..4)) {
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
