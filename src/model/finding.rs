//! What the tool saw and did not turn into a rule, and what it could not see.

use std::collections::BTreeMap;

use super::code::{Code, Severity};

/// One line of the review.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What kind.
    pub code: Code,
    /// What it is about: a workload, an address, a file.
    pub subject: String,
    /// What was seen, as the rest of a sentence that begins with the subject.
    pub message: String,
    /// How often.
    pub count: u64,
    /// Whether it stands for all further subjects of the code, which were counted and not kept.
    pub is_rest: bool,
}

/// How many bytes of a subject, and of a message, are kept: names in them are whatever someone wrote.
const SUBJECT: usize = 1 << 10;
const MESSAGE: usize = 4 << 10;

/// The beginning of a text that is too long.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('\u{2026}');
    }
    text
}

/// Findings, counted and in order. Bounded: of one code only the first [`Findings::SUBJECTS`] different ones are kept, the rest
/// is counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    counts: BTreeMap<Code, BTreeMap<(String, String), u64>>,
    overflow: BTreeMap<Code, u64>,
}

impl Findings {
    /// How many different findings of one code are kept.
    pub const SUBJECTS: usize = 1000;

    /// Counts one occurrence.
    pub fn add(&mut self, code: Code, subject: impl Into<String>, message: impl Into<String>) {
        self.add_many(code, subject, message, 1);
    }

    /// Notes what is so, however often it is come upon.
    pub fn add_once(&mut self, code: Code, subject: impl Into<String>, message: impl Into<String>) {
        let (subject, message) = (subject.into(), message.into());
        let finding = (cut(subject.clone(), SUBJECT), cut(message.clone(), MESSAGE));
        let known = self.counts.get(&code).is_some_and(|kept| kept.contains_key(&finding));
        if !known {
            self.add(code, subject, message);
        }
    }

    /// Counts `count` occurrences; none for 0.
    pub fn add_many(&mut self, code: Code, subject: impl Into<String>, message: impl Into<String>, count: u64) {
        if count == 0 {
            return;
        }
        let kept = self.counts.entry(code).or_default();
        let known = kept.entry((cut(subject.into(), SUBJECT), cut(message.into(), MESSAGE))).or_default();
        *known = known.saturating_add(count);
        // The last in order gives way, whatever came first: the same findings in any order leave the same ones.
        if kept.len() > Self::SUBJECTS
            && let Some((_, count)) = kept.pop_last()
        {
            *self.overflow.entry(code).or_default() += count;
        }
    }

    /// Takes out the findings that `is_taken`, in the order of [`Findings::sorted`]. What stands for subjects that were not kept is
    /// asked for like any other.
    pub fn extract(&mut self, mut is_taken: impl FnMut(&Finding) -> bool) -> Vec<Finding> {
        let mut taken = self.sorted();
        taken.retain(|finding| is_taken(finding));
        for finding in &taken {
            if finding.is_rest {
                self.overflow.remove(&finding.code);
            } else if let Some(kept) = self.counts.get_mut(&finding.code) {
                kept.remove(&(finding.subject.clone(), finding.message.clone()));
            }
        }
        // A code is listed, and counts for the worst severity, as long as there is anything of it.
        self.counts.retain(|code, kept| !kept.is_empty() || self.overflow.contains_key(code));
        taken
    }

    /// Takes over all findings of `other`.
    pub fn merge(&mut self, other: Self) {
        for (code, findings) in other.counts {
            for ((subject, message), count) in findings {
                self.add_many(code, subject, message, count);
            }
        }
        for (code, count) in other.overflow {
            *self.overflow.entry(code).or_default() += count;
        }
    }

    /// Takes over what `other` says and this one does not.
    pub fn merge_new(&mut self, mut other: Self) {
        for (code, findings) in &mut other.counts {
            findings.retain(|finding, _| self.counts.get(code).is_none_or(|known| !known.contains_key(finding)));
        }
        self.merge(other);
    }

    /// The findings, worst code first, then by code and subject.
    pub fn sorted(&self) -> Vec<Finding> {
        let mut codes: Vec<Code> = self.counts.keys().copied().collect();
        codes.sort_by_key(|code| (std::cmp::Reverse(code.severity()), *code));
        let mut sorted = Vec::new();
        for code in codes {
            for ((subject, message), count) in &self.counts[&code] {
                sorted.push(Finding { code, subject: subject.clone(), message: message.clone(), count: *count, is_rest: false });
            }
            if let Some(&count) = self.overflow.get(&code) {
                let message = format!("were counted and not kept: only the first {} are", Self::SUBJECTS);
                sorted.push(Finding { code, subject: "further subjects".into(), message, count, is_rest: true });
            }
        }
        sorted
    }

    /// The worst severity, if there is any finding.
    pub fn worst(&self) -> Option<Severity> {
        self.counts.keys().map(|code| code.severity()).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_findings_in_any_order_are_the_same() {
        let subjects: Vec<String> = (0..Findings::SUBJECTS + 20).map(|number| format!("{number:05}")).collect();
        let mut forward = Findings::default();
        let mut backward = Findings::default();
        for subject in &subjects {
            forward.add(Code::Icmp, subject, "echo");
        }
        for subject in subjects.iter().rev() {
            backward.add(Code::Icmp, subject, "echo");
        }
        assert_eq!(forward, backward);
        assert_eq!(forward.sorted().len(), Findings::SUBJECTS + 1);
    }

    #[test]
    fn what_is_taken_out_is_gone_and_the_rest_stays() {
        let mut findings = Findings::default();
        for number in 0..Findings::SUBJECTS + 2 {
            findings.add(Code::Icmp, format!("{number:05}"), "echo");
        }
        findings.add(Code::MetadataAddress, "prod/web", "was answered");
        let taken = findings.extract(|finding| finding.code == Code::MetadataAddress || finding.subject == "00007");
        assert_eq!(taken.iter().map(|finding| finding.subject.as_str()).collect::<Vec<_>>(), ["prod/web", "00007"]);
        assert_eq!(findings.worst(), Some(Severity::Warning));
        assert_eq!(findings.sorted().len(), Findings::SUBJECTS - 1 + 1, "those not kept are still told");
        assert_eq!(
            findings.extract(|finding| finding.code == Code::Icmp).len(),
            Findings::SUBJECTS,
            "and go with all of the code"
        );
        assert_eq!((findings.worst(), findings), (None, Findings::default()));
    }

    #[test]
    fn the_worst_come_first() {
        let mut findings = Findings::default();
        findings.add(Code::Multicast, "prod/web", "mDNS");
        findings.add(Code::MetadataAddress, "prod/web", "was answered");
        let codes: Vec<Code> = findings.sorted().iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::MetadataAddress, Code::Multicast]);
    }
}
