//! Names of policies: what a reader reads first.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::inventory::Inventory;
use crate::model::WorkloadName;

/// Longest name written; the API would take 253 characters (RFC 1123 subdomain), but names are also used as label values.
const LONGEST: usize = 63;

/// Short names of workloads, unique in their namespace.
#[derive(Debug)]
pub(super) struct ShortNames {
    twins: BTreeSet<(String, String)>,
}

impl ShortNames {
    pub(super) fn new(inventory: &Inventory) -> Self {
        let mut kinds: BTreeMap<(String, String), usize> = BTreeMap::new();
        for workload in inventory.workloads() {
            *kinds.entry((workload.name.namespace.clone(), workload.name.name.clone())).or_default() += 1;
        }
        Self { twins: kinds.into_iter().filter(|(_, kinds)| *kinds > 1).map(|(name, _)| name).collect() }
    }

    /// The workload's own name, with its kind where another workload of the namespace has the same name.
    pub(super) fn of(&self, workload: &WorkloadName) -> String {
        let WorkloadName { namespace, name, kind } = workload;
        if self.twins.contains(&(namespace.clone(), name.clone())) { format!("{name}-{}", kind.0) } else { name.clone() }
    }
}

/// An address as part of a name.
pub(super) fn of_address(address: IpAddr) -> String {
    address.to_string()
}

/// A range as part of a name: the address alone for a single one.
pub(super) fn of_range(range: IpNet) -> String {
    if range.prefix_len() == range.max_prefix_len() { of_address(range.addr()) } else { range.to_string() }
}

/// The name in RFC 1123 form: lower-case letters, digits and dashes; cut with a hash of the whole if it is too long.
pub(super) fn dns_1123(name: &str) -> String {
    let mut kept = String::with_capacity(name.len());
    for letter in name.chars() {
        let letter = letter.to_ascii_lowercase();
        if letter.is_ascii_lowercase() || letter.is_ascii_digit() {
            kept.push(letter);
        } else if matches!(letter, '-' | '.' | ':') || !kept.ends_with('-') {
            // Names and addresses keep all their marks: 2001:db8::1 and 2001:db8:1:: stay apart.
            kept.push('-');
        }
    }
    let kept = kept.trim_matches('-');
    if kept.len() <= LONGEST { kept.to_owned() } else { with_hash(kept, name) }
}

/// Gives every key a name, unique among all of them: those that would share one get a hash of their key.
pub(super) fn unique<K: Ord + Clone>(wanted: &BTreeMap<K, String>, key_text: impl Fn(&K) -> String) -> BTreeMap<K, String> {
    let mut sharing: BTreeMap<String, Vec<&K>> = BTreeMap::new();
    for (key, name) in wanted {
        sharing.entry(dns_1123(name)).or_default().push(key);
    }
    let mut names = BTreeMap::new();
    for (name, keys) in sharing {
        if let [key] = keys[..] {
            names.insert(key.clone(), name);
        } else {
            for key in keys {
                names.insert(key.clone(), with_hash(&name, &key_text(key)));
            }
        }
    }
    names
}

/// The name with a hash; of one too long the middle is left out, because it begins with the workload and ends with its peer.
fn with_hash(name: &str, whole: &str) -> String {
    const KEPT: usize = LONGEST - 9;
    const TAIL: usize = 22;
    let hash = hash(whole);
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= KEPT {
        return format!("{}-{hash:08x}", name.trim_end_matches('-'));
    }
    let head: String = letters[..KEPT - TAIL - 1].iter().collect();
    let tail: String = letters[letters.len() - TAIL..].iter().collect();
    format!("{}-{}-{hash:08x}", head.trim_end_matches('-'), tail.trim_matches('-'))
}

/// FNV-1a, folded to 32 bits: short, stable over releases; nothing rests on it but that names differ.
fn hash(text: &str) -> u32 {
    let folded =
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    u32::try_from((folded >> 32) ^ (folded & 0xffff_ffff)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_rfc_1123() {
        let rows = [
            ("allow-web-to-example.com", "allow-web-to-example-com"),
            ("allow-2001:db8::1-to-db", "allow-2001-db8--1-to-db"),
            ("allow-a_B-to-10.0.0.0/8", "allow-a-b-to-10-0-0-0-8"),
            ("allow-x-to-\u{1b}[2J example", "allow-x-to-2j-example"),
        ];
        for (given, expected) in rows {
            assert_eq!(dns_1123(given), expected, "{given:?}");
        }
        let long = dns_1123(&format!("allow-{}-to-x", "w".repeat(300)));
        assert!(long.len() <= LONGEST && long.contains("www-to-x-"), "{long}: both ends are kept");
        assert_ne!(long, dns_1123(&format!("allow-{}-to-y", "w".repeat(300))), "cut names keep apart");
    }

    #[test]
    fn names_that_would_be_shared_differ() {
        let wanted = BTreeMap::from([(1, "to-a-b.com".to_owned()), (2, "to-a.b.com".to_owned()), (3, "to-c".to_owned())]);
        let names = unique(&wanted, |key| format!("{key}"));
        assert_eq!(names[&3], "to-c");
        assert_ne!(names[&1], names[&2]);
        assert!(names[&1].starts_with("to-a-b-com-"));
    }
}
