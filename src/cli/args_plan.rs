//! What may be typed for `plan`; nothing of what it means.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::args::Format;
use super::args_checks::{Deciding, Known, Replaying};
use super::duration::parse_duration;

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The directory of the NetworkPolicies, one in a file, as learn writes them. REVIEW.json in it says what they rest on
    #[arg(long, short, value_name = "DIR")]
    pub(super) policies: PathBuf,

    #[command(flatten)]
    pub(super) known: Known,

    /// A capture of later traffic, as verify takes it: workloads of which something would be denied are not ready. Where REVIEW.json is
    /// missing or is of other policies, this is the evidence. Repeatable
    #[arg(long, short, value_name = "PATH")]
    pub(super) read: Vec<String>,

    #[command(flatten)]
    pub(super) replaying: Replaying,

    #[command(flatten)]
    pub(super) deciding: Deciding,

    /// A namespace that is to go. Repeatable. Without it: all that have policies or pods, but for the system's without policies
    #[arg(long, short, value_name = "NAME")]
    pub(super) namespace: Vec<String>,

    /// Leave out the NetworkPolicies of the inventory. Without it they count beside the given ones
    #[arg(long)]
    pub(super) without_cluster: bool,

    /// The greatest chance that the next connection of a namespace is on an edge not seen yet (Good-Turing), and the greatest share of
    /// connections that the hold-out denied: 1% or 0.01
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = parse_share)]
    pub(super) max_chance: f64,

    /// The least time that must have been watched (30s, 5m, 2h, 1d)
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = parse_duration)]
    pub(super) min_watched: Duration,

    /// A reason that is not to count: one that the plan names, such as port-not-called. It is told all the same. Repeatable
    #[arg(long, value_name = "REASON")]
    pub(super) accept: Vec<String>,

    /// Where to write PLAN.md: a directory, that of the policies will do. Without it: standard output
    #[arg(long, short, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,

    /// Also write the policies for a dry run on live traffic, to _staged in the output directory
    #[arg(long, value_enum, value_name = "PLUG-IN", requires = "output")]
    pub(super) staged: Option<Staged>,

    /// Replace files that this tool did not write
    #[arg(long)]
    pub(super) force: bool,

    /// Templates of your own: PLAN.md, kustomization.yaml; those missing are the built-in ones
    #[arg(long, value_name = "DIR")]
    pub(super) templates: Option<PathBuf>,

    /// How to tell the plan on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// For which network plug-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Staged {
    /// `StagedKubernetesNetworkPolicy` of projectcalico.org/v3
    Calico,
}

/// A share of one: `1%`, `0.01`.
fn parse_share(text: &str) -> Result<f64, String> {
    let (number, whole) = text.trim().strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    match number.trim().parse::<f64>() {
        Ok(number) if (0.0..=whole).contains(&number) => Ok(number / whole),
        _ => Err(format!("`{text}` is no share of one: write 1% or 0.01")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_part_of_one() {
        let rows = [("1%", Some(0.01)), ("0.01", Some(0.01)), (" 2.5 % ", Some(0.025)), ("100%", Some(1.0)), ("0", Some(0.0))];
        for (text, expected) in rows {
            assert_eq!(parse_share(text).ok(), expected, "{text}");
        }
        for text in ["101%", "1.5", "-1%", "", "%", "NaN", "much"] {
            assert!(parse_share(text).is_err(), "{text}");
        }
    }
}
