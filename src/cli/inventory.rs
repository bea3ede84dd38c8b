//! `netpol-gen inventory`: a cluster in, a file for `--inventory` out.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::cluster::{self, LeftOut, LeftOutReason, Listing, ROLE};

use super::args::Inventory;
use super::console::{say, warn};
use super::exit;
use super::failure::Failure;
use super::output::write_out;
use super::watch;

/// Asks, writes, tells.
pub(super) fn run(arguments: &Inventory) -> Result<u8, Failure> {
    if arguments.print_role {
        write_out(ROLE)?;
        return Ok(exit::DONE);
    }
    if arguments.print_command {
        write_out(&cluster::kubectl_command())?;
        return Ok(exit::DONE);
    }
    // Without it the arguments are not accepted.
    let Some(output) = &arguments.output else { return Ok(exit::FAILED) };
    let access = arguments.cluster.access();
    if let Some(length) = arguments.watch {
        return watch::run(&access, length, output);
    }
    let listing = cluster::list(&access)?;
    if output == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        listing.write(&mut out)?;
        out.flush()?;
    } else {
        write(&listing, output).map_err(|source| Failure::Unwritable { path: output.clone(), source })?;
    }
    tell(&listing, output);
    Ok(exit::DONE)
}

/// The whole file, or what was there before.
fn write(listing: &Listing, path: &Path) -> io::Result<()> {
    // A link's target is replaced, not the link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let old = fs::metadata(&target).ok();
    if old.as_ref().is_some_and(|old| !old.is_file() && !old.is_dir()) {
        // A pipe or device has no place to write beside it.
        let mut out = BufWriter::new(File::options().write(true).open(&target)?);
        listing.write(&mut out)?;
        return out.flush();
    }
    if old.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let directory =
        target.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".netpol-gen-").suffix(".tmp");
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt as _;
        // What the user's umask leaves of it, as for any new file.
        builder.permissions(fs::Permissions::from_mode(0o666))
    };
    let mut out = BufWriter::new(builder.tempfile_in(directory)?);
    listing.write(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    if let Some(old) = old {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

fn tell(listing: &Listing, output: &Path) {
    for line in warnings(&listing.left_out) {
        warn(&line);
    }
    let to = destination(output);
    let (objects, pods) = (listing.objects.len(), listing.count("Pod"));
    say(&format!("{objects} objects, {pods} of them pods, from {} to {to}", listing.server));
}

/// How messages call a place to write to.
pub(super) fn destination(output: &Path) -> String {
    if output == Path::new("-") { "standard output".to_owned() } else { output.display().to_string() }
}

/// What is missing, in lines.
pub(super) fn warnings(left_out: &[LeftOut]) -> Vec<String> {
    let mut lines = Vec::new();
    for left_out in left_out {
        let name = left_out.resource.name();
        match &left_out.reason {
            LeftOutReason::Forbidden { message } => {
                lines.push(format!("warning: {name} left out: {message}"));
                lines.push(format!("hint: allow it by a rule of a ClusterRole: {}", left_out.resource.rule()));
            }
            LeftOutReason::NotServed => lines.push(format!("warning: {name} left out: the cluster has no such kind")),
        }
    }
    lines
}
