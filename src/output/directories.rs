//! Directories created for a run, and removed again if the run fails.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Creates a directory and its missing parents, and adds those created to `made`, outer first.
///
/// # Errors
/// When the system refuses; `made` then has those that were made before.
pub fn make(directory: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    for path in missing.into_iter().rev() {
        match fs::create_dir(path) {
            Ok(()) => made.push(path.to_owned()),
            // Another run was quicker.
            Err(_) if path.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Removes directories that [`make`] created, unless something is in them.
pub fn unmake(made: &[PathBuf]) {
    for directory in made.iter().rev() {
        let _ = fs::remove_dir(directory);
    }
}
