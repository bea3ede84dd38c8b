//! The arguments of live captures: `capture`, `interfaces`, and the live options of `learn`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::args::{Format, Learn};
use super::duration::parse_duration;

#[derive(Debug, Args)]
pub(super) struct Interfaces {
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// Capturing on interfaces.
#[derive(Debug, Args)]
#[command(next_help_heading = "Live capture")]
pub(super) struct Tapping {
    /// How long to capture: 30s, 5m, 2h, 1d. Default: until Ctrl-C
    #[arg(long, short, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "read")]
    pub(super) duration: Option<Duration>,

    /// Interface, or a pattern such as 'veth*', which also matches later ones. Repeatable. Default: any
    #[arg(long, value_name = "NAME", conflicts_with = "read", value_delimiter = ',')]
    interface: Vec<String>,

    /// Capture only what passes this filter (tcpdump syntax)
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "read")]
    pub(super) filter: Option<String>,

    /// How often to write to disk; a crash of the machine loses at most this much
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "10s")]
    pub(super) every: Duration,
}

impl Tapping {
    /// The interfaces to capture on.
    pub(super) fn interfaces(&self) -> Vec<String> {
        if self.interface.is_empty() { vec!["any".to_owned()] } else { self.interface.clone() }
    }

    /// Whether interfaces were named, `any` too: whoever names one knows which machine this is.
    pub(super) const fn names_interfaces(&self) -> bool {
        !self.interface.is_empty()
    }
}

/// Learning from a capture of its own.
#[derive(Debug, Args)]
#[command(next_help_heading = "Live capture")]
pub(super) struct Live {
    #[command(flatten)]
    pub(super) tapping: Tapping,

    /// Directory for what is recorded. Default: beside the policies, named policies.record
    #[arg(long, value_name = "DIR", conflicts_with = "read")]
    pub(super) record: Option<PathBuf>,

    /// Continue a live capture that was killed; its time and its records count
    #[arg(long, conflicts_with = "read")]
    pub(super) resume: bool,

    /// Do not ask a cluster; without --inventory, only capture
    #[arg(long, conflicts_with = "read")]
    pub(super) offline: bool,
}

impl Learn {
    /// Where a live capture keeps what it saw.
    pub(super) fn record_directory(&self) -> PathBuf {
        let beside = || {
            let policies = if self.output == Path::new("-") { Path::new("policies") } else { &self.output };
            let mut name = policies.file_name().unwrap_or_default().to_owned();
            name.push(".record");
            policies.with_file_name(name)
        };
        self.live.record.clone().unwrap_or_else(beside)
    }

    /// Whether a live capture asks the cluster for its objects.
    pub(super) const fn asks_cluster(&self) -> bool {
        self.inventory.is_empty() && !self.live.offline
    }
}
