//! The command line: what was typed in, what the stages made of it out.
//!
//! Standard output carries data only; everything for people goes to standard error. Exit codes are an interface: see
//! [`exit`].

mod args;
mod args_checks;
#[cfg(feature = "live")]
mod args_live;
mod args_plan;
#[cfg(feature = "live")]
mod capture;
mod checkpointed_log;
mod console;
mod convert;
mod decisions;
mod diff;
mod duration;
mod examples;
pub mod exit;
mod explain;
mod failure;
#[cfg(all(feature = "live", feature = "cluster"))]
mod feed;
mod findings;
mod flow_file_writer;
mod ingest;
#[cfg(feature = "live")]
mod interfaces;
#[cfg(any(feature = "live", feature = "cluster"))]
mod interrupt;
#[cfg(feature = "cluster")]
mod inventory;
mod learn;
#[cfg(feature = "live")]
mod live;
mod load_inventory;
mod manual;
mod output;
mod parse;
mod peer_query;
mod plan;
mod policy_set;
mod progress;
#[cfg(feature = "live")]
mod seen_pairs;
#[cfg(feature = "live")]
mod session;
#[cfg(feature = "live")]
mod status;
mod suggest;
mod suggestion;
mod verify;
#[cfg(feature = "cluster")]
mod watch;
#[cfg(feature = "live")]
#[cfg_attr(not(feature = "cluster"), path = "no_watch_recorder.rs")]
mod watch_recorder;
#[cfg(feature = "live")]
mod writer;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::output::text;

use args::Command;

/// Prints the error of arguments that cannot be parsed. The parser quotes arguments in its errors, and they may hold control
/// characters. So the arguments are escaped first and parsed again, which gives the same error with escaped text.
fn misunderstood(error: &clap::Error) -> io::Result<()> {
    let is_harmless = |text: &OsStr| text.to_str().is_some_and(|text| text.chars().all(text::is_printable));
    let are_variables_harmless = parse::variables_set().iter().filter_map(std::env::var_os).all(|value| is_harmless(&value));
    let shown = std::env::args_os().map(|argument| text::one_line(&argument.to_string_lossy(), usize::MAX).into());
    match parse::parse(&shown.collect::<Vec<OsString>>()) {
        Err(shown) if shown.use_stderr() && are_variables_harmless => shown.print(),
        // The escaped arguments give no error, or the error may quote an environment variable: the first error is escaped whole.
        _ => writeln!(io::stderr(), "{}", text::one_line(&error.to_string(), usize::MAX)),
    }
}

/// Runs the command that was typed.
pub fn main() -> ExitCode {
    let arguments = match parse::parse(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are asked for; anything else is a command that could not be understood.
            let is_failure = error.use_stderr();
            let _ = if is_failure { misunderstood(&error) } else { error.print() };
            let set = parse::variables_set();
            if is_failure && !set.is_empty() {
                console::warn(&format!("note: these environment variables set options, too: {}", set.join(", ")));
            }
            return ExitCode::from(if is_failure { exit::FAILED } else { exit::DONE });
        }
    };
    console::set(arguments.telling);
    let result = match arguments.command {
        Command::Learn(learn) => learn::run(&learn),
        #[cfg(feature = "live")]
        Command::Capture(capture) => capture::run(&capture),
        #[cfg(not(feature = "live"))]
        Command::Capture(capture) => convert::run(&capture),
        Command::Verify(verify) => verify::run(&verify),
        Command::Explain(explain) => explain::run(&explain),
        Command::Diff(diff) => diff::run(&diff),
        Command::Plan(plan) => plan::run(&plan),
        Command::Findings(findings) => findings::run(&findings),
        Command::Completions(completions) => manual::complete(&completions),
        Command::Man(man) => manual::write_pages(&man),
        #[cfg(feature = "cluster")]
        Command::Inventory(inventory) => inventory::run(&inventory),
        #[cfg(all(feature = "live", feature = "cluster"))]
        Command::Feed(cluster) => feed::run(&cluster),
        #[cfg(feature = "live")]
        Command::Interfaces(interfaces) => interfaces::run(&interfaces),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) if failure.is_broken_pipe() => ExitCode::from(exit::DONE),
        Err(failure) => {
            failure.print();
            ExitCode::from(exit::FAILED)
        }
    }
}
