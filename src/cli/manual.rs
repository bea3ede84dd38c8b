//! Completions and man pages, from the same source as the help.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;

use super::args;
use super::exit;
use super::failure::Failure;
use super::output::write_out;
use super::parse::command;

/// Prints a completion script.
pub(super) fn complete(arguments: &args::Completions) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "netpol-gen", &mut script);
    write_out(&String::from_utf8_lossy(&script))?;
    Ok(exit::DONE)
}

/// Writes a man page for the program, and one for each command.
pub(super) fn write_pages(arguments: &args::Man) -> Result<u8, Failure> {
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |source| Failure::Unwritable { path, source }
    };
    fs::create_dir_all(&arguments.directory).map_err(unwritable(&arguments.directory))?;
    for (name, page) in pages()? {
        let path: PathBuf = arguments.directory.join(format!("{name}.1"));
        fs::write(&path, page).map_err(unwritable(&path))?;
    }
    Ok(exit::DONE)
}

/// The pages by name.
fn pages() -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut program = command();
    // Also gives each command the name by which it is called.
    program.build();
    let mut pages = vec![("netpol-gen".to_owned(), page(program.clone())?)];
    for command in program.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        let name = format!("netpol-gen-{}", command.get_name());
        pages.push((name.clone(), page(command.clone().name(name))?));
    }
    Ok(pages)
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}
