//! Why policies could not be rendered or written.

use std::path::PathBuf;

use super::manifest::Unsayable;
use super::render::Difference;
use super::yaml::YamlProblem;

/// Why policies could not be rendered or written; reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// `--templates` names a directory without any template.
    #[error("use templates from {}: it holds none of {}", directory.display(), super::template::NAMES.join(", "))]
    TemplatesMissing {
        /// The directory.
        directory: PathBuf,
    },
    /// A template is not one, or failed on the values given to it.
    #[error("render template {template}")]
    TemplateInvalid {
        /// The template's origin.
        template: String,
        /// Where and why.
        #[source]
        source: minijinja::Error,
    },
    /// A template left out the line by which the tool knows its own files.
    #[error("render {file} with template {template}: its first line is not `{marker}`")]
    TemplateMarker {
        /// The template's origin.
        template: String,
        /// What was rendered.
        file: String,
        /// The line.
        marker: &'static str,
    },
    /// A template made text that is not YAML to every reader.
    #[error("render {file} with template {template}: it is not the same to every YAML reader")]
    TemplateYaml {
        /// The template's origin.
        template: String,
        /// What was rendered.
        file: String,
        /// Where.
        #[source]
        source: YamlProblem,
    },
    /// A template made something that is no policy of this tool.
    #[error("render {file} with template {template}: it says what this tool never says")]
    TemplateUnsayable {
        /// The template's origin.
        template: String,
        /// What was rendered.
        file: String,
        /// What.
        #[source]
        source: Unsayable,
    },
    /// A template made something else than what it was given.
    #[error("render {file} with template {template}: the text says something else: {difference}")]
    TemplateDiffers {
        /// The template's origin.
        template: String,
        /// What was rendered.
        file: String,
        /// The first difference.
        difference: Difference,
    },
    /// A name that cannot be a path.
    #[error("name a file after {what} {name:?}: {why}")]
    BadName {
        /// What the name is of.
        what: &'static str,
        /// The name.
        name: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// The review as JSON.
    #[error("write the review as JSON")]
    Json(#[source] serde_json::Error),
    /// Two policies of one name.
    #[error("write two policies with the name {namespace}/{name}")]
    DuplicateName {
        /// Their namespace.
        namespace: String,
        /// Their name.
        name: String,
    },
    /// Files that the tool did not write stand in the way.
    #[error("replace files that this tool did not write: {}", list(paths))]
    Foreign {
        /// All of them.
        paths: Vec<PathBuf>,
    },
    /// A symbolic link, or something that is neither file nor directory, stands in the way.
    #[error("write through {}, which is {what}", path.display())]
    OddFile {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Reading what is there failed.
    #[error("read {}", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another run is writing into the directory.
    #[error("write into {}: another run is writing there", directory.display())]
    Busy {
        /// Where.
        directory: PathBuf,
    },
    /// An earlier run did not end, and what it noted cannot be understood.
    #[error("undo what an earlier run left half done by {}: {why}", path.display())]
    BadJournal {
        /// The note.
        path: PathBuf,
        /// Why it is not believed.
        why: &'static str,
    },
    /// What a run has changed cannot be brought back. The old file is kept.
    #[error("bring back {}, which a run that did not end has changed", path.display())]
    Unrestored {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Writing failed. Every file is as it was.
    #[error("write {}", path.display())]
    Unwritable {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl EmitError {
    /// What to do about it, for the `hint:` line.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TemplatesMissing { .. } => "copy the ones to change from templates/ of the source; the others stay as they are",
            Self::TemplateInvalid { .. } => "compare it with the one of the same name in templates/ of the source",
            Self::TemplateMarker { .. } => "begin the template with {{ marker }}",
            Self::TemplateYaml { .. } => {
                "print values as {{ value }}, which quotes them where needed, and comments as # {{ text|comment }}"
            }
            Self::TemplateUnsayable { .. } | Self::TemplateDiffers { .. } => {
                "a template may change layout, comments, extra labels and annotations, never what a policy says"
            }
            Self::Json(_) => "this is a defect of netpol-gen: please report it",
            Self::BadName { .. } | Self::DuplicateName { .. } => "check the inventory: Kubernetes does not accept such an object",
            Self::Foreign { .. } => "choose another --output, move them away, or replace them with --force",
            Self::OddFile { .. } => "remove it, or choose another --output",
            Self::Unreadable { .. } => "check that the directory and its files can be read",
            Self::Busy { .. } => "wait until it has ended; if none is, remove the directory .netpol-gen there",
            Self::BadJournal { .. } => {
                "the old files lie beside it (0.old, 1.old, ...): take what you need, then remove the directory .netpol-gen"
            }
            Self::Unrestored { .. } => {
                "make it writable and run again: the next run brings it back from the directory .netpol-gen"
            }
            Self::Unwritable { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    "choose an --output that this user may write to"
                }
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    "make room and run again; all files are as they were"
                }
                _ => "choose another --output, or use --output - for standard output; all files are as they were",
            },
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    super::text::listed(paths.iter().map(|path| super::text::one_line(&path.display().to_string(), 200)), 20)
}
