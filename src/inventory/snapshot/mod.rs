//! Files of Kubernetes objects in, objects out.
//!
//! In: what `kubectl get … -o yaml` (or `-o json`) prints, in any number of files or directories: single objects, `List`s,
//! typed lists such as `PodList`, streams of YAML documents, concatenated JSON values; and the records of a watch
//! ([`History`](super::History) tells their format). Whether it is YAML or JSON, plain or compressed (zstd, gzip), is seen from the
//! content. Out: [`Object`]s in the order of the file, those of a watch at its end. Guaranteed: memory does not grow with a file of
//! JSON, which is read object by object, none longer than 32 MiB; YAML is held as text, of at most 512 MiB; what is no text at all
//! is refused at its beginning. A bad object does not stop the rest, and no input makes it panic or cost more than its size allows.

mod bounded;
mod compression;
mod convert;
mod declared;
mod json;
mod narrow;
mod raw;
mod record;
mod sink;
#[cfg(test)]
mod tests;
mod tree;
mod yaml;

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde_json::de::{IoRead, SliceRead};
use serde_saphyr::granit_parser::Marker;
use thiserror::Error;

pub use narrow::narrow;

use bounded::{MAX_OBJECT, MAX_TEXT, Metered};

use super::object::Object;
use super::{Inventory, InventoryBuilder, InventoryOptions, VERSION};
use crate::model::Findings;
use sink::Sink;
use tree::{Tree, shorten};

/// How deep values may be nested. Custom resource definitions, the deepest objects there are, stay below 60.
const MAX_DEPTH: usize = 100;
/// How much is looked at to tell what a file is.
const BEGINNING: u64 = 256 << 10;
/// What is read again as YAML when it begins like JSON and is not (`{kind: Pod, …}`).
const MAX_SECOND_TRY: u64 = 16 << 20;

/// How names of inventory files end. What is in them is seen from the content.
const EXTENSIONS: &[&str] = &["yaml", "yml", "json", "jsonl", "zst", "gz"];

/// Why there is no inventory.
#[derive(Debug, Error)]
pub enum InventoryError {
    /// A file or directory cannot be read.
    #[error("read the inventory `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is neither YAML nor JSON, or not of Kubernetes objects.
    #[error("read the inventory `{name}` as YAML or JSON: line {line}, column {column}: {message}")]
    Malformed {
        /// The file.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// JSON in which no object ends.
    #[error("read the inventory `{}`: no object came to its end within {} MiB", path.display(), MAX_OBJECT >> 20)]
    EndlessObject {
        /// The file.
        path: PathBuf,
    },
    /// YAML that is too long to be held.
    #[error("read the inventory `{}`: it is no JSON, and as YAML longer than the {} MiB that are read", path.display(), MAX_TEXT >> 20)]
    LongText {
        /// The file.
        path: PathBuf,
    },
    /// A file of a watch is of a format that is not known.
    #[error("read the inventory `{name}`: its format is version `{version}`, and only version {VERSION} is known")]
    OtherVersion {
        /// The file.
        name: String,
        /// The version it says.
        version: String,
    },
    /// A directory holds no inventory files.
    #[error("find an inventory file (.yaml, .yml, .json, .jsonl, .zst or .gz) in the directory `{}`", path.display())]
    EmptyDirectory {
        /// Which.
        path: PathBuf,
    },
    /// There is not one pod in all files together.
    #[error("find a pod in the inventory: {}", others(*objects, *files))]
    NoPods {
        /// How many files were read.
        files: usize,
        /// How many objects they hold.
        objects: u64,
    },
}

impl InventoryError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::EmptyDirectory { .. } => {
                "give --inventory a file or directory with the output of `kubectl get namespaces,nodes,pods,services,endpointslices,\
                 deployments,replicasets,statefulsets,daemonsets,jobs,cronjobs,ingresses,networkpolicies -A -o yaml`"
            }
            Self::Malformed { .. } => "write the file anew with `kubectl get … -A -o yaml` and do not edit it",
            Self::EndlessObject { .. } => "no Kubernetes object is that long: is it the output of `kubectl get … -A -o json`?",
            Self::LongText { .. } => {
                "write it with `kubectl get … -A -o json`, which is read object by object, whatever its length"
            }
            Self::OtherVersion { .. } => "use the netpol-gen that wrote it (its first line says which), or a newer one",
            Self::NoPods { .. } => {
                "without pods no address has a name: add the output of `kubectl get pods -A -o yaml`, taken during the capture"
            }
        }
    }
}

/// The objects of one file, and what was wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// In the order of the file.
    pub objects: Vec<Object>,
    /// Objects that cannot be read, in whole or in part.
    pub findings: Findings,
}

/// The inventory of all these files and directories, in any order.
///
/// # Errors
///
/// See [`InventoryError`]; also if there is no pod in all of them.
pub fn load<P: AsRef<Path>>(paths: &[P], options: &InventoryOptions) -> Result<Inventory, InventoryError> {
    let files = expand(paths)?;
    let mut builder = InventoryBuilder::new();
    let mut findings = Findings::default();
    let mut objects = 0;
    for file in &files {
        read_into(file, &mut findings, &mut |object| {
            objects += 1;
            builder.apply(object);
        })?;
        builder.end_snapshot();
    }
    builder.report(findings);
    let inventory = builder.build(options);
    if inventory.pods().is_empty() {
        return Err(InventoryError::NoPods { files: files.len(), objects });
    }
    Ok(inventory)
}

/// The files meant by files and directories: of a directory, every one below it whose name ends like an inventory's. Sorted, each
/// once.
///
/// # Errors
///
/// If something is not there or cannot be listed, and if a directory holds no such file.
pub fn expand<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<PathBuf>, InventoryError> {
    let mut files = Vec::new();
    for path in paths {
        let path = path.as_ref();
        let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
        if metadata.is_dir() {
            let before = files.len();
            list(path, &mut files)?;
            if files.len() == before {
                return Err(InventoryError::EmptyDirectory { path: path.to_owned() });
            }
        } else {
            files.push(path.to_owned());
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// Linked directories are left out (a mounted `ConfigMap` holds everything twice, once below `..data`), linked files are not.
fn list(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), InventoryError> {
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        let entries = fs::read_dir(&directory).map_err(|source| unreadable(&directory, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| unreadable(&directory, source))?;
            let kind = entry.file_type().map_err(|source| unreadable(&entry.path(), source))?;
            let path = entry.path();
            let is_inventory = path
                .extension()
                .and_then(|extension| extension.to_str())
                .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)));
            if kind.is_dir() {
                pending.push(path);
            } else if is_inventory && (kind.is_file() || fs::metadata(&path).is_ok_and(|target| target.is_file())) {
                files.push(path);
            }
        }
    }
    Ok(())
}

/// The objects of one file.
///
/// # Errors
///
/// If it cannot be read, or is neither YAML nor JSON of Kubernetes objects.
pub fn read(path: &Path) -> Result<Snapshot, InventoryError> {
    let mut snapshot = Snapshot::default();
    let objects = &mut snapshot.objects;
    read_into(path, &mut snapshot.findings, &mut |object| objects.push(object))?;
    Ok(snapshot)
}

/// The objects of these bytes; `name` is what messages call them.
///
/// # Errors
///
/// If they are neither YAML nor JSON of Kubernetes objects.
pub fn read_bytes(bytes: &[u8], name: &str) -> Result<Snapshot, InventoryError> {
    let mut snapshot = Snapshot::default();
    let objects = &mut snapshot.objects;
    parse_bytes(bytes, name, &mut snapshot.findings, &mut |object| objects.push(object))?;
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
        &sink::Repeated::default(),
    );
    snapshot
}

/// Reads a file object by object.
fn read_into(path: &Path, findings: &mut Findings, receive: &mut dyn FnMut(Object)) -> Result<(), InventoryError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    let metadata = file.metadata().map_err(|source| unreadable(path, source))?;
    let (reader, is_compressed) = compression::decompress(file).map_err(|source| unreadable(path, source))?;
    let mut reader = BufReader::with_capacity(1 << 18, reader);
    let mut beginning = Vec::new();
    // What is there before the file breaks off counts: whoever reads on meets the failure behind it.
    let failure = reader.by_ref().take(BEGINNING).read_to_end(&mut beginning).err();
    let reader = bounded::Failing::new(failure).chain(reader);
    if is_json(skip_mark(&beginning)) && !(metadata.is_file() && !is_compressed && metadata.len() <= MAX_SECOND_TRY) {
        let reader = Metered::new(skip_mark(&beginning).chain(reader), MAX_OBJECT);
        let mut sink = Sink::new(&name, findings, receive).metered(reader.meter());
        // Asked for byte by byte.
        let result = json::read(IoRead::new(BufReader::new(reader)), &mut sink);
        if let Some(version) = sink.other_version() {
            return Err(InventoryError::OtherVersion { version: version.to_owned(), name: name.clone() });
        }
        return settle(result, &mut sink).map_err(|error| match error.io_error_kind() {
            Some(io::ErrorKind::FileTooLarge) => InventoryError::EndlessObject { path: path.to_owned() },
            Some(_) => unreadable(path, error.into()),
            None => Malformed::from(error).of(&name),
        });
    }
    if bounded::is_binary(&beginning) {
        return Err(Malformed { line: 1, column: 1, message: "it is no text in UTF-8".into() }.of(&name));
    }
    let bytes = bounded::read_text(beginning.as_slice().chain(reader), MAX_TEXT).map_err(|source| unreadable(path, source))?;
    let bytes = bytes.ok_or_else(|| InventoryError::LongText { path: path.to_owned() })?;
    parse_bytes(&bytes, &name, findings, receive)
}

fn parse_bytes(bytes: &[u8], name: &str, findings: &mut Findings, receive: &mut dyn FnMut(Object)) -> Result<(), InventoryError> {
    let bytes = skip_mark(bytes);
    let mut objects = Vec::new();
    let mut found = Findings::default();
    let mut keep = |object| objects.push(object);
    let result = if is_json(bytes) {
        let mut sink = Sink::new(name, &mut found, &mut keep);
        let first = json::read(SliceRead::new(bytes), &mut sink);
        if let Some(version) = sink.other_version() {
            return Err(InventoryError::OtherVersion { version: version.to_owned(), name: name.to_owned() });
        }
        let first = settle(first, &mut sink).map_err(Malformed::from);
        first.or_else(|error| {
            objects.clear();
            found = Findings::default();
            let mut keep = |object| objects.push(object);
            parse_yaml(bytes, &mut Sink::new(name, &mut found, &mut keep)).map_err(|_| error)
        })
    } else {
        parse_yaml(bytes, &mut Sink::new(name, &mut found, &mut keep))
    };
    result.map_err(|malformed| malformed.of(name))?;
    findings.merge(found);
    objects.into_iter().for_each(receive);
    Ok(())
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

/// Without the byte order mark that some editors put before UTF-8.
fn skip_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn is_json(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| matches!(byte, b'{' | b'['))
}

fn others(objects: u64, files: usize) -> String {
    let objects = if objects == 1 { "1 other object".to_owned() } else { format!("{objects} other objects") };
    let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    format!("{objects} in {files}")
}

fn unreadable(path: &Path, source: io::Error) -> InventoryError {
    InventoryError::Unreadable { path: path.to_owned(), source }
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
