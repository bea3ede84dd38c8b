//! Traffic made worse: frames lost, doubled, cut, out of order, turned round, damaged, and wrapped by a pod into tunnels.

use crate::random::Random;
use crate::support::frames::{encapsulated, ether_type, ethernet, gre, ip, udp, vxlan, vxlan_to};

const ETHERNET: usize = 14;
/// Longer packets do not fit into an IPv4 packet once they are wrapped.
const WRAPPED: usize = 60_000;

/// Disturbs a few of the frames, which are in order of time; they are so again afterwards.
pub fn disturb(mut frames: Vec<(i64, Vec<u8>)>, random: &mut Random) -> Vec<(i64, Vec<u8>)> {
    for _ in 0..random.between(1, 30) {
        if frames.is_empty() {
            break;
        }
        let position = random.below(frames.len());
        let (at, frame) = frames[position].clone();
        match random.below(9) {
            0 => {
                frames.remove(position);
            }
            1 => frames.push((at + delay(random), frame)),
            2 => frames[position].1.truncate(random.below(frame.len() + 1)),
            3 => frames[position].0 = at + delay(random),
            4 => frames.push((at + delay(random), turned(frame))),
            5 => {
                let at = random.below(frame.len().max(1));
                if let Some(byte) = frames[position].1.get_mut(at) {
                    *byte = u8::try_from(random.below(256)).unwrap();
                }
            }
            6 => {
                // The answer of another conversation, or its question.
                let other = random.below(frames.len());
                let other = frames[other].1.clone();
                frames.push((at + delay(random), crossed(frame, &other)));
            }
            7 => {
                let bytes = (0..random.below(200)).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
                frames.push((at, bytes));
            }
            _ => {
                let outer = random.below(frames.len());
                let outer = frames[outer].1.clone();
                frames.extend(wrapped(&frame, &outer, random).map(|wrapped| (at + delay(random), wrapped)));
            }
        }
    }
    frames.sort_by_key(|(at, _)| *at);
    frames
}

/// From microseconds to an hour, and backwards too.
fn delay(random: &mut Random) -> i64 {
    let delay = *random.pick(&[1_000, 1_000_000, 100_000_000, 5_000_000_000, 3_600_000_000_000]);
    if random.chance(20) { -delay } else { delay }
}

fn is_ipv4(frame: &[u8]) -> bool {
    frame.len() >= ETHERNET + 20 && frame[12..14] == [8, 0]
}

/// Addresses and ports of both sides exchanged: an answer that nobody gave.
fn turned(mut frame: Vec<u8>) -> Vec<u8> {
    if !is_ipv4(&frame) {
        return frame;
    }
    let packet = &mut frame[ETHERNET..];
    for byte in 12..16 {
        packet.swap(byte, byte + 4);
    }
    let header = usize::from(packet[0] & 0x0f) * 4;
    if packet.len() >= header + 4 {
        packet.swap(header, header + 2);
        packet.swap(header + 1, header + 3);
    }
    frame
}

/// The frame with the other's addresses. Checksums are not checked: network cards fill them in later.
fn crossed(mut frame: Vec<u8>, other: &[u8]) -> Vec<u8> {
    if is_ipv4(&frame) && is_ipv4(other) {
        frame[ETHERNET + 12..ETHERNET + 20].copy_from_slice(&other[ETHERNET + 12..ETHERNET + 20]);
    }
    frame
}

/// The frame in a tunnel between the other's addresses.
fn wrapped(frame: &[u8], outer: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    if !is_ipv4(frame) || !is_ipv4(outer) || frame.len() > WRAPPED {
        return None;
    }
    let packet = &frame[ETHERNET..];
    let address = |at: usize| outer[ETHERNET + at..ETHERNET + at + 4].iter().map(u8::to_string).collect::<Vec<_>>().join(".");
    let upper = match random.below(5) {
        0 => vxlan(1, frame),
        1 => vxlan_to(8472, 1, frame),
        2 => encapsulated(packet),
        3 => gre(0, ether_type(packet), packet),
        _ => udp(8285, 8285, packet),
    };
    Some(ethernet(&ip(&address(12), &address(16), upper)))
}
