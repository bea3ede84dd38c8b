//! Files of Kubernetes objects in, objects out.
//!
//! In: what `kubectl get … -o yaml` (or `-o json`) prints, in any number of files or directories: single objects, `List`s,
//! typed lists such as `PodList`, arrays, streams of YAML documents, concatenated JSON values; what `kubectl cluster-info dump`
//! prints; and the records of a watch ([`History`](super::History) tells their format). Whether it is YAML or JSON, UTF-8 or UTF-16,
//! plain or compressed (zstd, gzip), is seen from the content; what kind an object is, from itself, its list or where its file is
//! ([`resource`]). Out: [`Object`]s in the order of the file, those of a watch at its end. Guaranteed: memory does not grow with a file of
//! JSON, which is read object by object, none longer than 32 MiB; YAML is held as text, of at most 512 MiB; what is no text at all
//! is refused at its beginning. A bad object does not stop the rest, and no input makes it panic or cost more than its size allows.

mod api_network_types;
mod api_types;
mod bounded;
mod collect;
mod compression;
mod contents;
mod encoding;
mod error;
mod expected_calls;
mod interfaces;
mod internal_names;
mod json;
mod log_sections;
mod network;
mod node;
mod parse;
mod record;
mod redact;
mod resource;
mod sources;
#[cfg(test)]
mod tests;
mod valid;
mod yaml;

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde_json::de::{IoRead, SliceRead};
use serde_saphyr::granit_parser::Marker;

pub(super) use collect::UNKNOWN;
pub use error::{Found, InventoryError};
pub use redact::narrow;

use bounded::{MAX_OBJECT, MAX_TEXT, Metered};

use super::object::Object;
use super::{Inventory, InventoryBuilder, InventoryOptions};
use crate::model::{Code, Findings};
use collect::Sink;
use contents::{Contents, EXPECTED};
use error::unreadable;
use log_sections::WithoutLogs;
use node::{Tree, shorten};

/// How deep values may be nested. Custom resource definitions, the deepest objects there are, stay below 60.
const MAX_DEPTH: usize = 100;
/// How much is looked at to tell what a file is.
const BEGINNING: u64 = 256 << 10;
/// What is read again as YAML when it begins like JSON and is not (`{kind: Pod, …}`).
const MAX_SECOND_TRY: u64 = 16 << 20;

/// The objects of one file, and what was wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// In the order of the file.
    pub objects: Vec<Object>,
    /// Objects that cannot be read, in whole or in part.
    pub findings: Findings,
}

/// The inventory of all these files and directories, in any order. A file in a directory that cannot be used is a finding; one that
/// was named is an error.
///
/// # Errors
///
/// See [`InventoryError`]; also if there is no pod in all of them.
pub fn load<P: AsRef<Path>>(paths: &[P], options: &InventoryOptions) -> Result<Inventory, InventoryError> {
    let mut findings = Findings::default();
    let sources = sources::expand(paths, &mut findings)?;
    let mut builder = InventoryBuilder::new();
    let mut found = Found { files: sources.len(), ..Found::default() };
    for source in &sources {
        let mut receive = |object: Object| {
            *found.kinds.entry(object.kind.clone()).or_default() += 1;
            builder.apply(object);
        };
        let is_named = source.directory.is_none();
        match read_file(&source.path, is_named, &mut findings, &mut receive) {
            Ok(contents) if !is_named => builder.end_file(contents.is_list),
            Ok(_) => builder.end_snapshot(),
            Err(error) if is_named => return Err(error),
            Err(InventoryError::Foreign { name, found: holds }) => {
                let (count, _) = found.foreign.get_or_insert_with(|| (0, format!("`{name}`, which holds {holds}")));
                *count += 1;
                let message = format!("was passed over: {EXPECTED}, found {holds}");
                findings.add(Code::InventoryFilePassedOver, name, message);
            }
            Err(error) => {
                let message = format!("was not read to its end: {}", because(&error));
                findings.add(Code::InventoryFileIncomplete, source.path.display().to_string(), message);
                builder.end_file(true);
            }
        }
    }
    builder.report(findings);
    let inventory = builder.build(options);
    if inventory.pods().is_empty() {
        return Err(InventoryError::NoPods { found });
    }
    Ok(inventory)
}

/// What is wrong with a file, without its name.
fn because(error: &InventoryError) -> String {
    match error {
        InventoryError::Malformed { line, column, message, .. } => format!("line {line}, column {column}: {message}"),
        InventoryError::Unreadable { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// The objects of one file.
///
/// # Errors
///
/// If it cannot be read, or holds no Kubernetes objects as YAML or JSON.
pub fn read(path: &Path) -> Result<Snapshot, InventoryError> {
    let mut snapshot = Snapshot::default();
    let objects = &mut snapshot.objects;
    read_file(path, true, &mut snapshot.findings, &mut |object| objects.push(object))?;
    Ok(snapshot)
}

/// The objects of these bytes; `name` is what messages call them.
///
/// # Errors
///
/// If they hold no Kubernetes objects as YAML or JSON.
pub fn read_bytes(bytes: &[u8], name: &str) -> Result<Snapshot, InventoryError> {
    let mut snapshot = Snapshot::default();
    let objects = &mut snapshot.objects;
    let origin = Origin { name: name.to_owned(), path: PathBuf::from(name), is_named: true, is_short: true };
    read_from(Box::new(bytes), &origin, &mut snapshot.findings, &mut |object| objects.push(object))?;
    Ok(snapshot)
}

/// The objects of a JSON value: one object or a list, as the API or a serializer gives it; `name` is what messages call it.
#[must_use]
pub fn read_value(value: serde_json::Value, name: &str) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let objects = &mut snapshot.objects;
    Sink::new(name, &mut snapshot.findings, &mut |object| objects.push(object)).item(
        Tree::from(value),
        0,
        &collect::Repeated::default(),
    );
    snapshot
}

/// Where bytes come from.
struct Origin {
    /// What messages call it.
    name: String,
    path: PathBuf,
    /// Whether it was named, and not come upon in a directory.
    is_named: bool,
    /// Whether it is short enough to be read twice.
    is_short: bool,
}

fn read_file(
    path: &Path,
    is_named: bool,
    findings: &mut Findings,
    receive: &mut dyn FnMut(Object),
) -> Result<Contents, InventoryError> {
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    let metadata = file.metadata().map_err(|source| unreadable(path, source))?;
    let is_short = metadata.is_file() && metadata.len() <= MAX_SECOND_TRY;
    let origin = Origin { name: path.display().to_string(), path: path.to_owned(), is_named, is_short };
    read_from(Box::new(file), &origin, findings, receive)
}

/// Reads a file object by object. What comes before an error is handed on, and what was found in it is said.
fn read_from(
    file: Box<dyn io::Read + '_>,
    origin: &Origin,
    findings: &mut Findings,
    receive: &mut dyn FnMut(Object),
) -> Result<Contents, InventoryError> {
    let Origin { name, path, .. } = origin;
    let (reader, is_compressed) = compression::decompress(file).map_err(|source| unreadable(path, source))?;
    let reader = encoding::utf8(reader).map_err(|source| unreadable(path, source))?;
    let reader = WithoutLogs::new(reader);
    let left_out = reader.left_out();
    let mut reader = BufReader::with_capacity(1 << 18, reader);
    let mut beginning = Vec::new();
    // What is there before the file breaks off counts: whoever reads on meets the failure behind it.
    let failure = reader.by_ref().take(BEGINNING).read_to_end(&mut beginning).err();
    let reader = beginning.as_slice().chain(bounded::Failing::new(failure)).chain(reader);
    let mut found = Findings::default();
    let mut contents = Contents::default();
    let read = if is_json(&beginning) && (is_compressed || !origin.is_short) {
        stream(reader, origin, &mut contents, &mut found, receive)
    } else {
        hold(reader, &beginning, origin, &mut contents, &mut found, receive)
    };
    let left_out = left_out.borrow();
    for section in &left_out.repeated {
        let message = format!("is there twice ({name}): a log that imitates its end may have added objects");
        found.add(Code::LogSectionRepeated, format!("the log of {section}"), message);
    }
    for error in &left_out.errors {
        let message = format!("holds an error of kubectl, for which objects may be missing: {}", shorten(error));
        found.add(Code::InventoryFileIncomplete, name, message);
    }
    if let Some(section) = &left_out.unfinished {
        found.add(Code::InventoryFileIncomplete, name, format!("ends within the log of {section}"));
    }
    let foreign = |found: String| InventoryError::Foreign { name: name.clone(), found };
    if let (0, Some(error), Ok(()) | Err(InventoryError::Foreign { .. })) = (contents.recognized, left_out.errors.first(), &read)
    {
        return Err(foreign(format!("nothing but an error of kubectl: {}", shorten(error))));
    }
    match read {
        Ok(()) if contents.recognized == 0 => return Err(foreign(contents.found().unwrap_or_else(|| "none".into()))),
        Ok(()) => {}
        Err(InventoryError::Malformed { .. }) if !origin.is_named && !contents::is_like_objects(&beginning) => {
            return Err(foreign(contents::described_beginning(&beginning)));
        }
        Err(InventoryError::Malformed { name, line, column, mut message }) => {
            if !contents::is_like_objects(&beginning) {
                message = format!("{message}; {EXPECTED}, found {}", contents::described_beginning(&beginning));
            }
            findings.merge(found);
            return Err(InventoryError::Malformed { name, line: left_out.line(line), column, message });
        }
        Err(error) => {
            findings.merge(found);
            return Err(error);
        }
    }
    findings.merge(found);
    Ok(contents)
}

/// Reads JSON as a stream.
fn stream(
    reader: impl io::Read,
    origin: &Origin,
    contents: &mut Contents,
    findings: &mut Findings,
    receive: &mut dyn FnMut(Object),
) -> Result<(), InventoryError> {
    let Origin { name, path, .. } = origin;
    let reader = Metered::new(reader, MAX_OBJECT);
    let mut sink = Sink::new(name, findings, receive).metered(reader.meter()).of(resource::of_path(path));
    // Asked for byte by byte.
    let result = json::read(IoRead::new(BufReader::new(reader)), &mut sink);
    if let Some(version) = sink.other_version() {
        return Err(InventoryError::OtherVersion { version: version.to_owned(), name: name.clone() });
    }
    let result = settle(result, &mut sink);
    *contents = sink.contents();
    result.map_err(|error| match error.io_error_kind() {
        Some(io::ErrorKind::FileTooLarge) => InventoryError::EndlessObject { path: path.clone() },
        Some(_) => unreadable(path, error.into()),
        None => Malformed::from(error).of(name),
    })
}

/// Reads YAML, or JSON that is short, as a whole: what begins like JSON and is not (`{kind: Pod, …}`) is read again as YAML.
fn hold(
    reader: impl io::Read,
    beginning: &[u8],
    origin: &Origin,
    contents: &mut Contents,
    findings: &mut Findings,
    receive: &mut dyn FnMut(Object),
) -> Result<(), InventoryError> {
    let Origin { name, path, .. } = origin;
    let foreign = |found: &str| InventoryError::Foreign { name: name.clone(), found: found.to_owned() };
    if let Some(found) = contents::sniff(beginning) {
        return Err(foreign(found));
    }
    if !origin.is_named && !is_json(beginning) && !contents::is_like_objects(beginning) {
        return Err(foreign(&contents::described_beginning(beginning)));
    }
    let bytes = bounded::read_text(reader, MAX_TEXT).map_err(|source| unreadable(path, source))?;
    let bytes = bytes.ok_or_else(|| InventoryError::LongText { path: path.clone() })?;
    let mut objects = Vec::new();
    let mut found = Findings::default();
    let mut keep = |object| objects.push(object);
    let kind = resource::of_path(path);
    let mut result = Ok(());
    if is_json(&bytes) {
        let mut sink = Sink::new(name, &mut found, &mut keep).of(kind.clone());
        let read = json::read(SliceRead::new(&bytes), &mut sink);
        if let Some(version) = sink.other_version() {
            return Err(InventoryError::OtherVersion { version: version.to_owned(), name: name.clone() });
        }
        result = settle(read, &mut sink).map_err(Malformed::from);
        *contents = sink.contents();
    }
    if !is_json(&bytes) || result.is_err() {
        let mut again = Vec::new();
        let mut found_again = Findings::default();
        let mut keep = |object| again.push(object);
        let mut sink = Sink::new(name, &mut found_again, &mut keep).of(kind);
        let read = parse_yaml(&bytes, &mut sink);
        let contents_again = sink.contents();
        // Of what is neither, what is wrong with it as JSON counts.
        if read.is_ok() || !is_json(&bytes) {
            (result, objects, found, *contents) = (read, again, found_again, contents_again);
        }
    }
    findings.merge(found);
    objects.into_iter().for_each(receive);
    result.map_err(|malformed| malformed.of(name))
}

/// Ends the reading of a file of JSON. Of a file of records that breaks off, everything before the break counts.
fn settle(result: Result<(), serde_json::Error>, sink: &mut Sink<'_>) -> Result<(), serde_json::Error> {
    match result {
        Err(error) if sink.has_records() && compression::is_torn(&error) => sink.tear(),
        result => result?,
    }
    sink.finish();
    Ok(())
}

fn parse_yaml(bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = &bytes[..error.valid_up_to()];
        let line_start = valid.iter().rposition(|byte| *byte == b'\n').map_or(0, |position| position + 1);
        let line = valid.split(|byte| *byte == b'\n').count();
        let column = String::from_utf8_lossy(&valid[line_start..]).chars().count() + 1;
        Malformed { line, column, message: "it is not text in UTF-8".into() }
    })?;
    yaml::read(text, sink)?;
    sink.finish();
    Ok(())
}

fn is_json(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| matches!(byte, b'{' | b'['))
}

/// A place in a text and what is wrong there.
#[derive(Debug)]
struct Malformed {
    line: usize,
    column: usize,
    message: String,
}

impl Malformed {
    fn yaml(marker: &Marker, message: String) -> Self {
        Self { line: marker.line(), column: marker.col() + 1, message }
    }

    fn of(self, name: &str) -> InventoryError {
        let Self { line, column, message } = self;
        InventoryError::Malformed { name: name.to_owned(), line, column, message: shorten(&message) }
    }
}
