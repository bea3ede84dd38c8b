//! From what was typed, and from the environment, to arguments.

use std::ffi::OsString;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, ColorChoice, Command, CommandFactory, FromArgMatches};

use super::args::Arguments;

/// What the name of each environment variable begins with.
const PREFIX: &str = "NETPOL_GEN_";

/// The whole command line, with an environment variable for each option.
pub(super) fn command() -> Command {
    with_variables(Arguments::command())
}

/// The arguments of the process.
pub(super) fn parse(words: &[OsString]) -> Result<Arguments, clap::Error> {
    let matches = command().color(color(words)).try_get_matches_from(words)?;
    Arguments::from_arg_matches(&matches)
}

/// The environment variables of options that are set, by name: whoever did not type an option finds it here.
pub(super) fn variables_set() -> Vec<String> {
    let mut names = Vec::new();
    collect(&command(), &mut names);
    names.sort();
    names.dedup();
    names.retain(|name| std::env::var_os(name).is_some());
    names
}

fn collect(command: &Command, names: &mut Vec<String>) {
    names.extend(command.get_arguments().filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned())));
    for command in command.get_subcommands() {
        collect(command, names);
    }
}

fn with_variables(command: Command) -> Command {
    let command = command.mut_args(|argument| {
        let Some(variable) = argument.get_long().map(variable) else { return argument };
        // The help of each option would be a line longer; the program's own help says how they are called.
        let argument = argument.env(variable).hide_env(true);
        match argument.get_action() {
            ArgAction::SetTrue => argument.value_parser(BoolishValueParser::new()),
            _ => argument,
        }
    });
    command.mut_subcommands(with_variables)
}

/// `pod-cidr` as `NETPOL_GEN_POD_CIDR`.
fn variable(option: &str) -> String {
    format!("{PREFIX}{}", option.to_uppercase().replace('-', "_"))
}

/// Whether help and errors of the parser itself are colored; they are printed before there are arguments.
fn color(words: &[OsString]) -> ColorChoice {
    let mut words = words.iter().map(|word| word.to_str().unwrap_or_default()).take_while(|word| *word != "--");
    let mut typed = std::env::var(variable("color")).ok();
    while let Some(word) = words.next() {
        if word == "--color" {
            typed = words.next().map(str::to_owned);
        } else if let Some(when) = word.strip_prefix("--color=") {
            typed = Some(when.to_owned());
        }
    }
    match typed.as_deref() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(|word| word.trim_matches('\'').into()).collect()
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_example_can_be_typed() {
        let mut count = 0;
        let mut all = vec![examples::ALL.to_owned()];
        all.extend(command().get_subcommands().filter_map(|command| Some(command.get_after_help()?.to_string())));
        for line in all.iter().flat_map(|text| text.lines()).filter_map(|line| line.trim().strip_prefix("netpol-gen ")) {
            let line = line.split(" > ").next().unwrap_or_default();
            if let Err(error) = parse(&words(&format!("netpol-gen {line}"))) {
                panic!("{line}: {error}");
            }
            count += 1;
        }
        assert!(count >= 15, "{count} examples");
    }

    #[test]
    fn every_command_has_examples() {
        for command in command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let is_shown = command.get_after_help().is_some_and(|text| text.to_string().starts_with("Examples:\n"));
            assert!(is_shown, "{}", command.get_name());
        }
    }

    #[test]
    fn one_letter_means_one_thing() {
        let mut meanings = std::collections::BTreeMap::new();
        for command in command().get_subcommands() {
            for argument in command.get_arguments() {
                let (Some(letter), Some(long)) = (argument.get_short(), argument.get_long()) else { continue };
                // As with kubectl, -o says what comes out: where to, or in which format.
                let long = if letter == 'o' && long == "format" { "output" } else { long };
                let known = meanings.entry(letter).or_insert_with(|| long.to_owned());
                assert_eq!(known, long, "-{letter} of {}", command.get_name());
            }
        }
        assert_eq!(meanings.get(&'n').map(String::as_str), Some("namespace"));
    }

    #[test]
    fn colors_are_known_before_the_rest() {
        let rows = [
            ("netpol-gen learn --color never", ColorChoice::Never),
            ("netpol-gen --color=always learn", ColorChoice::Always),
            ("netpol-gen learn -- --color never", ColorChoice::Auto),
            ("netpol-gen learn", ColorChoice::Auto),
        ];
        for (line, expected) in rows {
            assert_eq!(color(&words(line)), expected, "{line}");
        }
    }
}
