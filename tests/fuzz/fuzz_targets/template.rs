//! Templates' read-back: whatever names, comments and foreign words are in a policy file, it is either refused or the policy that
//! was meant.
#![no_main]

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::civil::date;
use libfuzzer_sys::fuzz_target;
use netpol_gen::capture::{CaptureFile, Observed};
use netpol_gen::review::decisions::Decisions;
use netpol_gen::decode::{DecodeOptions, Decoder};
use netpol_gen::edge::Observer;
use netpol_gen::output::{Templates, render, text};
use netpol_gen::flow::FlowTable;
use netpol_gen::inventory::{InventoryBuilder, InventoryOptions, snapshot};
use netpol_gen::learn::learn;
use netpol_gen::model::{Explained, NonEmpty, PodSelector, Requirement};
use netpol_gen::policy::PolicyOptions;

const TEMPLATE: &str = include_str!("../../../templates/policy.yaml");

static POLICIES: OnceLock<Vec<Explained>> = OnceLock::new();

/// Those of the demo.
fn policies() -> Vec<Explained> {
    let mut builder = InventoryBuilder::new();
    let inventory = include_bytes!("../../../captures/shop.yaml");
    builder.apply_snapshot(snapshot::read_bytes(inventory, "shop.yaml").expect("it is an inventory"));
    let inventory = builder.build(&InventoryOptions::default());
    let capture: &[u8] = include_bytes!("../../../captures/shop.pcap");
    let mut file = CaptureFile::from_reader("shop.pcap", capture).expect("it is a capture");
    let (mut decoder, mut table) = (Decoder::new(DecodeOptions::default()), FlowTable::new(10_000));
    while let Ok(Some(Observed::Frame(frame))) = file.read_next() {
        if let Some(packet) = decoder.decode(&frame) {
            table.observe(&packet);
        }
    }
    table.finish();
    let mut observer = Observer::new(&inventory, 10_000);
    observer.observe(table.take_finished(), table.names());
    let mut observation = observer.conclude();
    let mut decisions = Decisions::new(Vec::new(), date(2026, 9, 21)).expect("no decisions contradict one another");
    let learned = learn(&mut observation, &inventory, &mut PolicyOptions::default(), &mut decisions, false);
    learned.expect("the demo has policies").set.policies
}

fuzz_target!(|bytes: &[u8]| {
    let [which, place, bytes @ ..] = bytes else { return };
    let Ok(words) = std::str::from_utf8(bytes) else { return };
    let policies = POLICIES.get_or_init(policies);
    let mut explained = policies[usize::from(*which) % policies.len()].clone();
    let templates = if place & 1 == 0 {
        // In the values.
        let mut parts = words.splitn(3, '\u{1}');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        explained.notes.push(part());
        let requirement = Requirement::Equals { key: part(), value: part() };
        explained.policy.selects = PodSelector::Labelled(NonEmpty::one(requirement));
        Templates::embedded().expect("the built-in templates are templates")
    } else {
        // In the template, as text: what a template computes may take for ever.
        let at = TEMPLATE.char_indices().map(|(at, _)| at).nth(usize::from(*place) * TEMPLATE.len() / 256).unwrap_or_default();
        let words = words.replace(['{', '}', '%', '#'], "");
        let source = format!("{}{words}{}", &TEMPLATE[..at], &TEMPLATE[at..]);
        match Templates::with(BTreeMap::from([("policy.yaml", ("fuzz".to_owned(), source))])) {
            Ok(templates) => templates,
            Err(_) => return,
        }
    };
    match render::policy(&explained, &templates) {
        Ok(rendered) => {
            assert_eq!(render::read_policy(&rendered).as_ref(), Some(&explained.policy), "what is written is what was meant");
            let is_printable = |letter: char| text::is_printable(letter) || letter == '\n';
            assert!(place & 1 != 0 || rendered.chars().all(is_printable), "nothing invisible is written");
        }
        Err(error) => {
            assert!(place & 1 != 0, "the built-in template failed: {error}");
            drop(error.to_string());
        }
    }
});
