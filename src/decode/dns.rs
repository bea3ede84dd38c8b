//! DNS messages: who asked for which name, and which addresses that name led to.
//!
//! In: the payload of a datagram or segment on a DNS port; it may be hostile, or cut by the snaplen. Out: the question and the
//! addresses that its CNAME chain leads to; records that do not belong to the chain are not believed (a resolver that adds
//! records for other names is how caches are poisoned).
//!
//! The messages are parsed by `simple_dns`, which is safe against compression loops (a pointer must lead backwards), but
//! allocates as much as the counts in the header claim (some 40 MB for 12 bytes), gives up the whole message for one record it
//! does not know, and reads no message that is cut. So only what is whole, wanted and bounded is handed to it.

use std::net::IpAddr;

use simple_dns::rdata::RData;
use simple_dns::{Name, Packet, ResourceRecord};

use super::DnsMessage;

/// Answers that are looked at. A headless Service of a thousand pods is the most that is met; a hostile message of 64 kB could
/// hold five times as many, each with a name compressed through thousands of pointers.
const MAX_ANSWERS: u16 = 1024;
/// Questions that are read over; real messages have one.
const MAX_QUESTIONS: u16 = 32;
/// Links of a CNAME chain that are followed. Resolvers give up at 8 to 16.
const MAX_CHAIN: usize = 16;

const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;
/// Of the private range (RFC 6895, section 3.1): taken as it is, whatever is in it.
const TYPE_IGNORED: u16 = 65280;
const CLASS_IN: u16 = 1;

/// The ports of DNS.
pub(super) const PORTS: [u16; 2] = [53, 5353];

/// Whether these ports carry DNS: 53, or 5353 unless multicast (RFC 6762 answers are nobody's question).
#[inline]
pub(super) const fn is_expected(source_port: u16, destination_port: u16, destination: IpAddr) -> bool {
    if source_port == 53 || destination_port == 53 {
        return true;
    }
    (source_port == 5353 || destination_port == 5353) && !destination.is_multicast()
}

/// The message at the start of a TCP segment, if the segment holds it whole (RFC 1035, section 4.2.2). A message that spans
/// segments is not put together: resolvers that answer over TCP in more than one segment are rare, and only a name is lost.
pub(super) fn read_segment(payload: &[u8], scratch: &mut Vec<u8>) -> Option<Box<DnsMessage>> {
    let (length, rest) = payload.split_first_chunk::<2>()?;
    let message = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    read(message, false, scratch)
}

/// The message of a datagram. Of one that is cut, the whole records before the cut are used.
pub(super) fn read(message: &[u8], is_cut: bool, scratch: &mut Vec<u8>) -> Option<Box<DnsMessage>> {
    let header = message.first_chunk::<HEADER>()?;
    let id = u16::from_be_bytes([header[0], header[1]]);
    let is_response = header[2] & 0x80 != 0;
    let operation = (header[2] >> 3) & 0x0f;
    let response_code = header[3] & 0x0f;
    let asks_nothing = header[4..6] == [0; 2];
    if operation != 0 || (asks_nothing && !is_response) {
        return None;
    }
    let sound = keep_sound(message, header, is_cut, scratch)?;
    let parsed = Packet::parse(sound).ok()?;
    let question = parsed.questions.first().map(|question| &question.qname);
    let addresses = match question {
        // No such name, refused, failed: whatever else is there, the name leads nowhere (search-list misses among them).
        Some(name) if is_response && response_code == 0 => follow(name, &parsed.answers),
        _ => Vec::new(),
    };
    Some(Box::new(DnsMessage { is_response, id, question: question.map(spell), addresses }))
}

/// Lower case, no final dot; a dot inside a label is `\.`. Control characters stay, and bytes that are no UTF-8 become U+FFFD.
fn spell(name: &Name<'_>) -> String {
    let mut text = plain(name).unwrap_or_else(|| name.to_string());
    text.make_ascii_lowercase();
    text
}

/// The labels with dots between them, if nothing in them must be written otherwise, as in nearly every name.
fn plain(name: &Name<'_>) -> Option<String> {
    let mut text = String::with_capacity(name.as_bytes().map(|label| label.len() + 1).sum());
    for (position, label) in name.as_bytes().enumerate() {
        if label.iter().any(|byte| !byte.is_ascii() || matches!(byte, b'.' | b'\\')) {
            return None;
        }
        if position > 0 {
            text.push('.');
        }
        text.push_str(std::str::from_utf8(label).ok()?);
    }
    Some(text)
}

/// The addresses at the end of the chain that begins with `question`, in the message's order.
fn follow<'a>(question: &'a Name<'a>, answers: &'a [ResourceRecord<'a>]) -> Vec<(IpAddr, u32)> {
    let mut addresses = Vec::new();
    let mut name = question;
    let mut least = u32::MAX;
    for _ in 0..=MAX_CHAIN {
        let mut next = None;
        for record in answers.iter().filter(|record| record.name == *name) {
            // RFC 2181, section 8: with the highest bit set it means zero.
            let time_to_live = if record.ttl > i32::MAX.unsigned_abs() { 0 } else { record.ttl };
            let address: IpAddr = match &record.rdata {
                RData::A(a) => std::net::Ipv4Addr::from(a.address).into(),
                RData::AAAA(aaaa) => IpAddr::from(std::net::Ipv6Addr::from(aaaa.address)).to_canonical(),
                RData::CNAME(target) => {
                    next = next.or(Some((&target.0, time_to_live)));
                    continue;
                }
                _ => continue,
            };
            addresses.push((address, time_to_live.min(least)));
        }
        let Some((target, time_to_live)) = next else { break };
        least = least.min(time_to_live);
        name = target;
    }
    addresses
}

/// Copies the questions and the leading answers that are whole, with counts that are true, and with everything but addresses and
/// CNAMEs made opaque. Authority and additional records are not wanted. `None` if it is no DNS message.
fn keep_sound<'a>(message: &[u8], header: &[u8; HEADER], is_cut: bool, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    scratch.clear();
    scratch.extend_from_slice(message);
    let question_count = u16::from_be_bytes([header[4], header[5]]);
    let answer_count = u16::from_be_bytes([header[6], header[7]]);
    let mut end = HEADER;
    let mut questions = 0;
    let mut answers = 0;
    while questions < question_count {
        match keep_question(scratch, end) {
            Some(next) if questions < MAX_QUESTIONS => end = next,
            _ if is_cut => break,
            _ => return None,
        }
        questions += 1;
    }
    if questions == question_count {
        while answers < answer_count.min(MAX_ANSWERS) {
            let Some(next) = keep_answer(scratch, end) else { break };
            end = next;
            answers += 1;
        }
    }
    scratch.truncate(end);
    scratch[4..6].copy_from_slice(&questions.to_be_bytes());
    scratch[6..8].copy_from_slice(&answers.to_be_bytes());
    scratch[8..HEADER].fill(0);
    Some(scratch)
}

/// The end of the question at `start`. Its type and class are set to ones that any parser knows.
fn keep_question(message: &mut [u8], start: usize) -> Option<usize> {
    let fields = end_of_name(message, start)?;
    let question = message.get_mut(fields..)?.first_chunk_mut::<4>()?;
    question[..2].copy_from_slice(&TYPE_A.to_be_bytes());
    question[2..].copy_from_slice(&CLASS_IN.to_be_bytes());
    Some(fields + 4)
}

/// The end of the record at `start`.
fn keep_answer(message: &mut [u8], start: usize) -> Option<usize> {
    let fields = end_of_name(message, start)?;
    let record = message.get_mut(fields..)?.first_chunk_mut::<10>()?;
    let kind = u16::from_be_bytes([record[0], record[1]]);
    // The highest bit of the class is mDNS's cache-flush bit (RFC 6762, section 10.2).
    let class = u16::from_be_bytes([record[2] & 0x7f, record[3]]);
    let length = u16::from_be_bytes([record[8], record[9]]);
    let is_wanted = class == CLASS_IN && matches!((kind, length), (TYPE_A, 4) | (TYPE_AAAA, 16) | (TYPE_CNAME, 1..));
    if !is_wanted {
        record[..2].copy_from_slice(&TYPE_IGNORED.to_be_bytes());
        record[2..4].copy_from_slice(&CLASS_IN.to_be_bytes());
    }
    let end = fields + 10 + usize::from(length);
    (end <= message.len()).then_some(end)
}

/// Where the name at `start` ends in the message, without following pointers (RFC 1035, section 4.1.4).
fn end_of_name(message: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let length = *message.get(at)?;
        match length {
            0 => return Some(at + 1),
            0xc0.. => return Some(at + 2),
            0x40..0xc0 => return None,
            _ => at += 1 + usize::from(length),
        }
        // RFC 1035, section 3.1.
        if at - start > 255 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::Label;

    use super::*;

    #[test]
    fn names_are_spelled_for_people() {
        let rows: [(&[&[u8]], &str); 5] = [
            (&[b"API", b"Example", b"com"], "api.example.com"),
            (&[b"a.b", b"c"], r"a\.b.c"),
            (&[br"a\b"], r"a\\b"),
            (&[b"caf\xc3\xa9", b"\xff"], "caf\u{e9}.\u{fffd}"),
            (&[], ""),
        ];
        for (labels, expected) in rows {
            let labels: Vec<Label<'_>> = labels.iter().map(|label| Label::new_unchecked(*label)).collect();
            assert_eq!(spell(&Name::new_with_labels(&labels)), expected);
        }
    }

    proptest! {
        #[test]
        fn plain_names_need_no_care(labels in proptest::collection::vec(proptest::collection::vec(0x20u8..0x82, 1..8), 0..4)) {
            let labels: Vec<Label<'_>> = labels.iter().map(|label| Label::new_unchecked(&label[..])).collect();
            let name = Name::new_with_labels(&labels);
            if let Some(text) = plain(&name) {
                prop_assert_eq!(text, name.to_string());
            }
        }
    }
}
