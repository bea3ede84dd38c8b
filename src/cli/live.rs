//! `netpol-gen learn` without `--read`: interfaces and a cluster in, the files of a run out.
//!
//! What was seen and what was heard goes to files as it comes, and policies are learned from these files in the end: so there is
//! one way from traffic to policies, whether it was captured here, elsewhere or before.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::capture;
use crate::edge::Observer;
use crate::flow::{FlowTable, Record};
use crate::inventory::{self, Inventory, InventoryOptions};
use crate::model::{Endpoint, Findings};

use super::addresses::Addresses;
use super::args::Learn;
use super::capture::{announce, follow, host, now, open};
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::recording::{FlowFile, header, say};
use super::run::Run;
use super::view::{View, length};
use super::witness::Witness;

/// What a live run leaves to be learned from.
pub(super) struct Recorded {
    /// Flow files.
    pub(super) captures: Vec<String>,
    /// Who had which address; empty if nobody was asked and nothing was given.
    pub(super) inventories: Vec<PathBuf>,
    /// Whether all of it reached the disk.
    pub(super) is_whole: bool,
}

/// Captures, and watches the cluster meanwhile, until the time is over or a signal comes.
pub(super) fn record(arguments: &Learn, options: &InventoryOptions) -> Result<Recorded, Failure> {
    let directory = arguments.record_directory();
    let given =
        if arguments.inventory.is_empty() { None } else { Some(inventory::snapshot::load(&arguments.inventory, options)?) };
    let run = if arguments.live.resume { Run::resume(&directory)? } else { Run::begin(&directory, now())? };
    let duration = match arguments.live.tapping.duration {
        Some(duration) => Some(duration.saturating_sub(run.captured)),
        None => None,
    };
    if arguments.live.resume {
        say(&format!("going on with a run of {} in {}", length(run.captured), directory.display()));
    }
    let mut opened = open(&arguments.live.tapping, arguments.flows, &arguments.tunnelling.vxlan_port)?;
    capture::give_up(opened.needed()).map_err(Failure::Rights)?;
    let mut sight = Sight { inventory: given, witness: None, known: Addresses::default() };
    if arguments.asks_cluster() {
        let witness = Witness::start(arguments, &run.inventory(), options)?;
        opened.leave_out(&witness.peers())?;
        sight.witness = Some(witness);
    }
    // Until here there was nothing to bring to an end.
    let interrupt = Interrupt::listen().map_err(Failure::Signals)?;
    let header = header(host(), opened.interfaces(), opened.filter().to_owned(), now());
    let mut file = FlowFile::create(&run.flows(), header, Duration::ZERO)?;
    announce(&opened, duration);
    let mut view = View::new(duration);
    let followed = follow(opened, duration, &interrupt, &mut file, &mut view, |records, view| {
        sight.beat(records, view);
        Ok(())
    });
    drop(view);
    let mut is_whole = sight.end();
    if let Err(failure) = file.end(now(), &Findings::default()) {
        failure.print();
        is_whole = false;
    }
    followed?;
    let captures = run.all_flows()?.iter().map(|path| path.display().to_string()).collect();
    let inventories = if arguments.inventory.is_empty() { run.all_inventories()? } else { arguments.inventory.clone() };
    Ok(Recorded { captures, inventories, is_whole })
}

/// Who is who, as far as that is known while the capture goes on: for the view only.
struct Sight {
    inventory: Option<Inventory>,
    witness: Option<Witness>,
    /// What that inventory was already asked about.
    known: Addresses,
}

impl Sight {
    fn beat(&mut self, records: &[Record], view: &mut View) {
        if let Some(witness) = &mut self.witness {
            witness.keep_up();
            view.note(witness.trouble());
            if let Some(inventory) = witness.renewed() {
                self.inventory = Some(inventory);
                self.known.forget();
            }
        }
        let Some(inventory) = &self.inventory else { return };
        let news = records.iter().flat_map(|record| self.known.news(record));
        let callers: BTreeSet<Endpoint> = news.map(|flow| flow.originator).collect();
        // Other views of the same connections tell where calls to Services were delivered.
        let is_needed = |record: &&Record| match record {
            Record::Conversation(conversation) => conversation.ends.iter().any(|end| callers.contains(&end.endpoint())),
            record => matches!(record, Record::Name(_)),
        };
        if !callers.is_empty() {
            view.see(edges(&records.iter().filter(is_needed).collect::<Vec<_>>(), inventory));
        }
    }

    /// Whether everything reached the disk.
    fn end(self) -> bool {
        self.witness.is_none_or(Witness::stop)
    }
}

/// Who may call whom, in what these records tell.
fn edges(records: &[&Record], inventory: &Inventory) -> BTreeSet<String> {
    let mut table = FlowTable::new(records.len());
    for record in records {
        table.recall(record);
    }
    table.finish();
    let mut observer = Observer::new(inventory, records.len());
    observer.observe(table.take_finished(), table.names());
    observer.conclude().edges.keys().map(ToString::to_string).collect()
}
