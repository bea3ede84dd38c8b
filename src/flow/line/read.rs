//! Lines of conversations just as this program writes them, which are nearly all of a flow file.
//!
//! A file of an hour has millions of them, and reading JSON in general costs more than all that is made of it. What is not
//! exactly so, down to the order of fields, is left to the general reader; what is read here, that one reads alike.

use std::net::IpAddr;

use super::SECOND;
use super::record::{After, Conversation, DEEDS, End, EndpointFlags, Opening};
use crate::decode::Stations;
use crate::model::{Protocol, Timestamp};

/// The conversation that a line tells of, if it does so in the usual form.
pub(in crate::flow) fn conversation(line: &[u8]) -> Option<Conversation> {
    let mut rest = Rest(line);
    rest.take(b"{\"conversation\":{\"protocol\":")?;
    let protocol = Protocol::from_name(rest.word()?)?;
    rest.take(b",\"first\":")?;
    let first = rest.time()?;
    let last = rest.optional_after(b",\"last\":")?;
    rest.take(b",\"ends\":[")?;
    let one = rest.end()?;
    rest.take(b",")?;
    let other = rest.end()?;
    rest.take(b"]")?;
    let mut openings = Vec::new();
    if rest.take(b",\"openings\":[").is_some() {
        // Mostly there is one.
        openings.reserve_exact(1);
        openings.push(rest.opening()?);
        while rest.take(b",").is_some() {
            openings.push(rest.opening()?);
        }
        rest.take(b"]")?;
    }
    let ordered = if rest.take(b",\"ordered\":").is_some() { rest.number()? } else { 0 };
    rest.take(b"}}")?;
    let ends = [one, other];
    let tunnels = Vec::new();
    rest.0.is_empty().then_some(Conversation { protocol, first, last, ends, openings, ordered, tunnels, refused_by: Vec::new() })
}

/// What is still to be read of a line.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Steps over exactly that.
    #[inline]
    fn take<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = if head == text { rest } else { return None };
        Some(())
    }

    /// A string without anything escaped.
    fn word(&mut self) -> Option<&'a str> {
        self.take(b"\"")?;
        let length = self.0.iter().position(|byte| *byte == b'"')?;
        let (word, rest) = self.0.split_at(length);
        self.0 = &rest[1..];
        let is_plain = word.iter().all(|byte| (b' '..=b'~').contains(byte) && *byte != b'\\');
        std::str::from_utf8(word).ok().filter(|_| is_plain)
    }

    /// A whole number. The general reader takes no zeros in front.
    #[inline]
    fn number<N: TryFrom<u64>>(&mut self) -> Option<N> {
        /// More digits may not fit; they are left to the general reader.
        const MOST: usize = 19;
        let (mut number, mut length) = (0u64, 0);
        while let Some(digit @ b'0'..=b'9') = self.0.get(length) {
            if length == MOST {
                return None;
            }
            number = number * 10 + u64::from(digit - b'0');
            length += 1;
        }
        if length == 0 || length > 1 && self.0[0] == b'0' {
            return None;
        }
        self.0 = &self.0[length..];
        number.try_into().ok()
    }

    /// Digits, exactly so many.
    #[inline]
    fn digits<const N: usize>(&mut self) -> Option<i64> {
        let (digits, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
    }

    /// RFC 3339 in UTC, as [`Timestamp`] is written, of years that fit it.
    fn time(&mut self) -> Option<Timestamp> {
        self.take(b"\"")?;
        let year = self.digits::<4>().filter(|year| (1970..2200).contains(year))?;
        self.take(b"-")?;
        let month = self.digits::<2>().filter(|month| (1..=12).contains(month))?;
        self.take(b"-")?;
        let day = self.digits::<2>().filter(|day| (1..=length_of_month(year, month)).contains(day))?;
        self.take(b"T")?;
        let hour = self.digits::<2>().filter(|hour| *hour < 24)?;
        self.take(b":")?;
        let minute = self.digits::<2>().filter(|minute| *minute < 60)?;
        self.take(b":")?;
        let second = self.digits::<2>().filter(|second| *second < 60)?;
        let mut nanosecond = 0;
        if self.take(b".").is_some() {
            let mut unit = SECOND;
            while let Some((digit @ b'0'..=b'9', rest)) = self.0.split_first() {
                unit /= 10;
                nanosecond += i64::from(digit - b'0') * unit;
                self.0 = rest;
            }
            // The general reader takes one to nine digits.
            if unit == SECOND || unit == 0 {
                return None;
            }
        }
        self.take(b"Z\"")?;
        let seconds = ((day_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
        Some(Timestamp(seconds * SECOND + nanosecond))
    }

    #[inline]
    fn after(&mut self) -> Option<After> {
        self.number().map(After)
    }

    /// One that may be absent, behind that.
    #[inline]
    #[expect(clippy::option_option, reason = "it is wrong, absent or there")]
    fn optional_after<const N: usize>(&mut self, name: &[u8; N]) -> Option<Option<After>> {
        if self.take(name).is_none() { Some(None) } else { self.after().map(Some) }
    }

    /// Likewise.
    #[inline]
    #[expect(clippy::option_option, reason = "it is wrong, absent or there")]
    fn optional_number<const N: usize>(&mut self, name: &[u8; N]) -> Option<Option<u32>> {
        if self.take(name).is_none() { Some(None) } else { self.number().map(Some) }
    }

    /// In quotation marks.
    fn address(&mut self) -> Option<IpAddr> {
        let start = self.0;
        self.v4().or_else(|| {
            self.0 = start;
            self.word()?.parse().ok()
        })
    }

    #[inline]
    fn v4(&mut self) -> Option<IpAddr> {
        self.take(b"\"")?;
        let first = self.number()?;
        let mut octets = [first; 4];
        for octet in &mut octets[1..] {
            self.take(b".")?;
            *octet = self.number()?;
        }
        self.take(b"\"")?;
        Some(octets.into())
    }

    fn end(&mut self) -> Option<End> {
        self.take(b"{\"address\":")?;
        let address = self.address()?;
        self.take(b",\"port\":")?;
        let port = self.number()?;
        let mut heard = None;
        if self.take(b",\"heard\":[").is_some() {
            let first = self.after()?;
            self.take(b",")?;
            heard = Some([first, self.after()?]);
            self.take(b"]")?;
        }
        let carried = self.optional_after(b",\"carried\":")?;
        let acknowledges = self.optional_number(b",\"acknowledges\":")?;
        let mut did = EndpointFlags::default();
        if self.take(b",\"did\":[\"carried-payload\",\"finished\"]").is_some() {
            // Nearly all of them.
            did = EndpointFlags::CARRIED_PAYLOAD_AND_FINISHED;
        } else if self.take(b",\"did\":[").is_some() {
            loop {
                let word = self.word()?;
                did.0 |= 1 << DEEDS.iter().position(|known| *known == word)?;
                if self.take(b",").is_none() {
                    break;
                }
            }
            self.take(b"]")?;
        }
        let mut tenths = 0;
        if self.take(b",\"tenths\":").is_some() {
            tenths = u64::from_str_radix(self.word()?, 16).ok()?;
        }
        let mut stations = Vec::new();
        if self.take(b",\"stations\":[").is_some() {
            stations.reserve_exact(1);
            stations.push(self.stations()?);
            while self.take(b",").is_some() {
                stations.push(self.stations()?);
            }
            self.take(b"]")?;
        }
        self.take(b"}")?;
        Some(End { address, port, heard, carried, acknowledges, did, tenths, stations })
    }

    fn stations(&mut self) -> Option<Stations> {
        self.take(b"[")?;
        let sender: u64 = self.number()?;
        self.take(b",")?;
        let receiver: u64 = self.number()?;
        self.take(b",")?;
        let marks: u8 = self.number()?;
        self.take(b"]")?;
        Some((sender, receiver, marks).into())
    }

    fn opening(&mut self) -> Option<Opening> {
        self.take(b"{\"by\":")?;
        let by = self.number().filter(|by| *by <= 1)?;
        self.take(b",\"number\":")?;
        let number = self.number()?;
        self.take(b",\"after\":")?;
        let after = self.after()?;
        let answer = self.optional_number(b",\"answer\":")?;
        let rejected = self.take(b",\"rejected\":true").is_some();
        self.take(b"}")?;
        Some(Opening { by, number, after, answer, rejected })
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn length_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970, in the Gregorian calendar. Years are counted from March, so that a leap day is their last.
const fn day_of(year: i64, month: i64, day: i64) -> i64 {
    /// The days from 1 March of the year 0 to 1 January 1970.
    const BEFORE: i64 = 719_468;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - BEFORE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::any;
    use super::*;
    use crate::flow::record::Record;

    fn any_time() -> impl Strategy<Value = Timestamp> + Clone {
        let last = 7_258_118_400_000_000_000;
        prop_oneof![3 => 0i64..last, 1 => (0i64..7_258_118_400).prop_map(|seconds| seconds * SECOND), 1 => Just(0), 1 => Just(last - 1)]
            .prop_map(Timestamp)
    }

    #[test]
    fn all_sets_of_deeds_are_read() {
        for bits in 0..1u8 << DEEDS.len() {
            let did = EndpointFlags(bits);
            let address = IpAddr::from([10, 0, 0, 1]);
            let end =
                End { address, port: 1, heard: None, carried: None, acknowledges: None, did, tenths: 0, stations: Vec::new() };
            let ends = [end.clone(), end];
            let (protocol, first) = (Protocol::Tcp, Timestamp(0));
            let (openings, tunnels) = (Vec::new(), Vec::new());
            let told = Conversation { protocol, first, last: None, ends, openings, ordered: 0, tunnels, refused_by: Vec::new() };
            let line = serde_json::to_vec(&Record::Conversation(told.clone())).expect("a line");
            assert_eq!(conversation(&line), Some(told), "{bits:b}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(conversation in any::conversation(any_time())) {
            let line = serde_json::to_vec(&Record::Conversation(conversation.clone())).expect("a line");
            // More than nineteen digits are left to the general reader.
            if let Some(read) = super::conversation(&line) {
                prop_assert_eq!(read, conversation);
            } else if conversation.tunnels.is_empty() && conversation.refused_by.is_empty() {
                prop_assert!(line.split(|byte| !byte.is_ascii_digit()).any(|digits| digits.len() > 19));
            }
        }

        /// One byte is another one, and so times, numbers and words are wrong in every way.
        #[test]
        fn the_general_reader_reads_alike(
            conversation in any::conversation(any_time()),
            place in any::<proptest::sample::Index>(),
            byte in prop_oneof![3 => proptest::sample::select(&b"0123456789.\"\\ Zz:+-eE\n,"[..]), 1 => any::<u8>()],
        ) {
            let mut line = serde_json::to_vec(&Record::Conversation(conversation)).expect("a line");
            let place = place.index(line.len());
            line[place] = byte;
            if let Some(read) = super::conversation(&line) {
                let general: Record = serde_json::from_slice(&line).expect("the general reader reads it");
                prop_assert_eq!(Record::Conversation(read), general);
            }
        }
    }
}
