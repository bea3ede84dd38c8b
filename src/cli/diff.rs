//! `netpol-gen diff`: two sets of policies in; connections gained and lost out.

use crate::output::answer::{diff_json, diff_text};
use crate::verify::{self, ClusterView};

use super::args::Format;
use super::args_checks::Diff;
use super::exit;
use super::failure::Failure;
use super::load_inventory;
use super::output::write_out;
use super::policy_set::{CLUSTER, Policies};

/// Reads, compares, tells.
pub(super) fn run(arguments: &Diff) -> Result<u8, Failure> {
    if arguments.old == "-" && arguments.new == "-" {
        return Err(Failure::TwoInputs);
    }
    Policies::find(&[&arguments.old, &arguments.new])?;
    let inventory = load_inventory::inventory(&arguments.known)?;
    let load =
        |word: &String| Policies::load(std::slice::from_ref(word), arguments.home.default_namespace.as_deref(), &inventory);
    let (mut old, mut new) = (load(&arguments.old)?, load(&arguments.new)?);
    if arguments.with_cluster {
        let cluster = Policies::load(&[CLUSTER.to_owned()], None, &inventory)?;
        let (first, second) = (old.clone(), new.clone());
        // What either set has a word on is not the cluster's any more: else a policy that goes would still count as the cluster's.
        old.join_set(&cluster, &second);
        new.join_set(&cluster, &first);
    }
    let difference = verify::diff(&old.list(), &new.list(), &ClusterView::from_inventory(&inventory))?;
    write_out(&match arguments.format {
        Format::Text => diff_text(&difference),
        Format::Json => diff_json(&difference)?,
    })?;
    Ok(if difference.is_empty() { exit::DONE } else { exit::DENIED })
}
