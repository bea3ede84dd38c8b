//! What may be typed for `plan`; nothing of what it means.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::args::{EXPERT, Format, path};
use super::args_checks::{Deciding, Known, Replaying};
use super::duration::parse_duration;

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// Directory of NetworkPolicies, one in each file, as learn writes them. Its REVIEW.json has the evidence
    #[arg(long, short = 'f', value_name = "DIR")]
    pub(super) policies: PathBuf,

    /// Only this namespace. Repeatable. Default: all that have policies or pods, but no system namespace without policies
    #[arg(long, short, value_name = "NAME", value_delimiter = ',')]
    pub(super) namespace: Vec<String>,

    /// Capture of later traffic, as verify takes it: a workload is not ready if something of it would be denied. Repeatable
    ///
    /// If REVIEW.json is missing or belongs to other policies, this capture is the evidence.
    #[arg(long, short, value_name = "PATH")]
    pub(super) read: Vec<String>,

    /// Directory for PLAN.md; may be that of the policies. Default: standard output
    #[arg(long, short, value_name = "DIR",
        value_parser = path("a directory for PLAN.md; `--format json` prints the plan as JSON"))]
    pub(super) output: Option<PathBuf>,

    /// Accept this blocker of the plan, such as port-not-called. It is still listed. Repeatable
    #[arg(long, value_name = "REASON", value_delimiter = ',')]
    pub(super) accept: Vec<String>,

    /// Minimum time that must have been captured (30s, 5m, 2h, 1d)
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = parse_duration)]
    pub(super) min_watched: Duration,

    /// Maximum share of connections expected to be denied: 1% or 0.01
    ///
    /// Two numbers must stay below it: the estimated chance that the next connection of a namespace is one not seen yet (Good-Turing),
    /// and the share of connections denied in the back-test.
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = parse_share)]
    pub(super) max_chance: f64,

    /// Evaluate only the given policies, without those of the inventory
    #[arg(long)]
    pub(super) without_cluster: bool,

    /// Also write the policies for a dry run in this network plug-in, to _staged in the output directory
    #[arg(long, value_enum, value_name = "CNI", requires = "output")]
    pub(super) staged: Option<Staged>,

    #[command(flatten)]
    pub(super) deciding: Deciding,

    /// Overwrite files that netpol-gen did not write
    #[arg(long)]
    pub(super) force: bool,

    /// Output format on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,

    #[command(flatten)]
    pub(super) known: Known,

    /// Directory with templates of your own (PLAN.md, kustomization.yaml); missing ones are built in
    #[arg(long, value_name = "DIR", help_heading = EXPERT)]
    pub(super) templates: Option<PathBuf>,

    #[command(flatten)]
    pub(super) replaying: Replaying,
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
        _ => Err(format!("`{text}` is not a share: write 1% or 0.01")),
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
