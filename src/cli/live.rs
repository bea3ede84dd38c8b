//! `netpol-gen learn` without `--read`: interfaces and a cluster in, the files of a run out.
//!
//! What was seen and what was heard goes to files as it comes, and policies are learned from these files in the end: so there is
//! one way from traffic to policies, whether it was captured here, elsewhere or before.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capture;
use crate::edge::Observer;
use crate::flow::{FlowTable, Record};
use crate::inventory::{self, Inventory, InventoryOptions, Node};
use crate::model::{Endpoint, Findings};
use crate::output::text::listed;

use super::args::Learn;
use super::capture::{announce, follow, give_up, host, now, open};
use super::console::say;
use super::failure::Failure;
use super::flow_file_writer::{FlowFile, header};
use super::interrupt::Interrupt;
use super::seen_pairs::Addresses;
use super::session::Run;
use super::status::{View, length};
use super::watch_recorder::{Feed, WatchRecorder};
use super::writer::{Use, Writer};

/// What a live run leaves to be learned from.
pub(super) struct Recorded {
    /// Flow files.
    pub(super) captures: Vec<String>,
    /// Who had which address; empty if nobody was asked and nothing was given.
    pub(super) inventories: Vec<PathBuf>,
    /// The inventory that was given.
    pub(super) given: Option<Inventory>,
    /// Whether all of it reached the disk.
    pub(super) is_whole: bool,
    /// By which path the directory for policies is reached.
    pub(super) output: PathBuf,
}

/// Captures, and watches the cluster meanwhile, until the time is over or a signal comes.
pub(super) fn record(arguments: &Learn, options: &InventoryOptions) -> Result<Recorded, Failure> {
    let named = arguments.record_directory();
    let given =
        if arguments.inventory.is_empty() { None } else { Some(inventory::snapshot::load(&arguments.inventory, options)?) };
    if arguments.live.resume && !named.exists() {
        return Err(Failure::NothingToResume { directory: named });
    }
    let writer = Writer::of_process();
    let mut directory = writer.directory(&named, Use::Record)?;
    let run = if arguments.live.resume {
        capture::as_user(writer.user, || Run::resume(&directory.path)).map_err(Failure::Rights)??
    } else {
        Run::begin(&directory.path, now())
    };
    let is_stream = arguments.output == Path::new("-");
    let mut output = if is_stream { None } else { Some(writer.directory(&arguments.output, Use::Output)?) };
    let duration = match arguments.live.tapping.duration {
        Some(duration) => Some(duration.saturating_sub(run.captured)),
        None => None,
    };
    let feed = if arguments.asks_cluster() { Some(Feed::start(arguments)?) } else { None };
    if !arguments.live.offline && !arguments.live.tapping.names_interfaces() {
        let of_feed = feed.as_ref().map(|feed| feed.nodes().clone()).unwrap_or_default();
        require_node(if let Some(given) = &given { nodes(given) } else { of_feed })?;
    }
    // Only now: all that can be wrong without an interface would have come up.
    let mut opened = open(&arguments.live.tapping, arguments.limits.flows, &arguments.tunnelling.vxlan_port)?;
    if let Some(feed) = &feed {
        opened.leave_out(&feed.peers())?;
    }
    if arguments.live.resume {
        say(&format!("going on with a run of {} in {}", length(run.captured), named.display()));
    }
    let writable: Vec<&Path> = [Some(&directory), output.as_ref()].into_iter().flatten().map(|own| own.path.as_path()).collect();
    give_up(&mut opened, writer, &writable)?;
    directory.keep();
    if let Some(output) = &mut output {
        output.keep();
    }
    let every = arguments.live.tapping.every;
    let witness = feed.map(|feed| WatchRecorder::start(feed, &run.inventory(), every, options)).transpose()?;
    let mut sight = Sight { inventory: given, witness, known: Addresses::default() };
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
    // Files that were given may be root's only.
    let given = if arguments.inventory.is_empty() { None } else { sight.inventory.take() };
    let mut is_whole = sight.end();
    if let Err(failure) = file.end(now(), &Findings::default()) {
        failure.print();
        is_whole = false;
    }
    followed?;
    let captures = run.all_flows()?.iter().map(|path| path.display().to_string()).collect();
    let inventories = if arguments.inventory.is_empty() { run.all_inventories()? } else { arguments.inventory.clone() };
    let output = output.map_or_else(|| arguments.output.clone(), |output| output.path.clone());
    Ok(Recorded { captures, inventories, given, is_whole, output })
}

/// The nodes' names and addresses.
fn nodes(inventory: &Inventory) -> BTreeSet<String> {
    let addresses = |node: &Node| node.addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
    inventory.nodes().iter().flat_map(|node| std::iter::once(node.name.clone()).chain(addresses(node))).collect()
}

/// Holds that this machine is one of the nodes, by its name or an address. Where nothing is known of nodes or of this machine's
/// addresses it may be one.
fn require_node(nodes: BTreeSet<String>) -> Result<(), Failure> {
    let host = host();
    let Ok(interfaces) = capture::interfaces() else { return Ok(()) };
    let mut own = interfaces.iter().flat_map(|interface| &interface.addresses).map(ToString::to_string);
    if nodes.is_empty() || nodes.contains(&host) || own.any(|address| nodes.contains(&address)) {
        return Ok(());
    }
    let names = nodes.into_iter().filter(|name| name.parse::<IpAddr>().is_err());
    Err(Failure::NotANode { host, nodes: listed(names, 5) })
}

/// Who is who, as far as that is known while the capture goes on: for the view only.
struct Sight {
    inventory: Option<Inventory>,
    witness: Option<WatchRecorder>,
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
        self.witness.is_none_or(WatchRecorder::stop)
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
