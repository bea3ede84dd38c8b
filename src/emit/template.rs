//! The templates a person may restyle, and how values are printed in them.
//!
//! In `.yaml` templates `{{ value }}` prints a string plain where that is a string to every YAML reader and quoted otherwise; in
//! `.md` templates it escapes Markdown and HTML. So the plain way to write a template is the safe one. Filters besides those of
//! minijinja: `comment` (one line, no control characters; for YAML comments), `code` (Markdown code),
//! `sentence` (first letter upper case), `command` (a line of a shell, in a block of code). `marker` is the first line
//! by which the tool knows its own files.

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde::Serialize;

use super::EmitError;
use super::plain;
use super::text;
use super::yaml;

/// One policy.
pub const POLICY: &str = "policy.yaml";
/// A directory for `kubectl apply -k`.
pub const KUSTOMIZATION: &str = "kustomization.yaml";
/// The review.
pub const REVIEW: &str = "REVIEW.md";
/// The plan of a migration.
pub const PLAN: &str = "PLAN.md";
/// All template names.
pub const NAMES: [&str; 4] = [POLICY, KUSTOMIZATION, REVIEW, PLAN];

/// How the first line of every YAML file of the tool begins.
pub const YAML_MARKER: &str = "# Written by netpol-gen from observed traffic";
/// The same for Markdown.
pub const MARKDOWN_MARKER: &str = "<!-- Written by netpol-gen from observed traffic";

const EMBEDDED: [(&str, &str); 4] = [
    (POLICY, include_str!("../../templates/policy.yaml")),
    (KUSTOMIZATION, include_str!("../../templates/kustomization.yaml")),
    (REVIEW, include_str!("../../templates/REVIEW.md")),
    (PLAN, include_str!("../../templates/PLAN.md")),
];

/// The longest comment line; longer ones are cut.
const COMMENT_WIDTH: usize = 240;
/// The longest template that is read.
const LONGEST: u64 = 1 << 20;

/// The templates of a run.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    origins: BTreeMap<&'static str, String>,
}

impl Templates {
    /// The built-in ones.
    ///
    /// # Errors
    /// Never, which a test holds.
    pub fn embedded() -> Result<Self, EmitError> {
        Self::with(BTreeMap::new())
    }

    /// The built-in ones, but for those that `directory` has a file of the same name for.
    ///
    /// # Errors
    /// None there, not readable, or not a template.
    pub fn load(directory: &Path) -> Result<Self, EmitError> {
        let mut overrides = BTreeMap::new();
        for name in NAMES {
            let path = directory.join(name);
            match plain::read_to_string(&path, LONGEST) {
                Ok(source) => {
                    overrides.insert(name, (path.display().to_string(), source));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && directory.is_dir() => {}
                Err(source) => return Err(EmitError::Unreadable { path, source }),
            }
        }
        if overrides.is_empty() {
            return Err(EmitError::TemplatesMissing { directory: directory.to_owned() });
        }
        Self::with(overrides)
    }

    /// The built-in ones, but for these: by name, the origin for messages and the source.
    ///
    /// # Errors
    /// One of them is not a template.
    pub fn with(mut overrides: BTreeMap<&'static str, (String, String)>) -> Result<Self, EmitError> {
        let mut environment = Environment::new();
        environment.set_syntax(syntax()?);
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(|name| {
            AutoEscape::Custom(if name.rsplit('.').next() == Some("yaml") { "yaml" } else { "markdown" }.into())
        });
        environment.set_formatter(format);
        environment.add_filter("comment", |text: String| Value::from_safe_string(text::one_line(&text, COMMENT_WIDTH)));
        environment.add_filter("command", |text: String| Value::from_safe_string(text::one_line(&text, usize::MAX)));
        environment.add_filter("code", |text: String| Value::from_safe_string(text::markdown_code(&text)));
        environment.add_filter("sentence", |text: String| {
            let mut letters = text.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect::<String>())
        });
        let mut origins = BTreeMap::new();
        for (name, embedded) in EMBEDDED {
            let (origin, source) = overrides.remove(name).unwrap_or_else(|| (format!("{name} (built in)"), embedded.to_owned()));
            environment
                .add_template_owned(name, source)
                .map_err(|source| EmitError::TemplateInvalid { template: origin.clone(), source })?;
            origins.insert(name, origin);
        }
        Ok(Self { environment, origins })
    }

    /// Where a template comes from, for messages.
    #[must_use]
    pub fn origin(&self, name: &str) -> String {
        self.origins.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// Renders `file` and holds that it begins with the marker.
    pub(super) fn render<T: Serialize>(&self, name: &str, file: &str, values: &T) -> Result<String, EmitError> {
        let invalid = |source| EmitError::TemplateInvalid { template: self.origin(name), source };
        let template = self.environment.get_template(name).map_err(invalid)?;
        let (marker, line) = if [REVIEW, PLAN].contains(&name) {
            (MARKDOWN_MARKER, format!("{MARKDOWN_MARKER}; the next run replaces it. -->"))
        } else {
            (YAML_MARKER, format!("{YAML_MARKER}; a run that finds something else replaces it."))
        };
        let values = minijinja::context! { marker => Value::from_safe_string(line), ..Value::from(Serde(values)) };
        let mut text = template.render(values).map_err(invalid)?;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if text.starts_with(marker) {
            Ok(text)
        } else {
            Err(EmitError::TemplateMarker { template: self.origin(name), file: file.to_owned(), marker })
        }
    }
}

/// Templates end with a line feed, and so do the files made of them.
fn syntax() -> Result<SyntaxConfig, EmitError> {
    SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()
        .map_err(|source| EmitError::TemplateInvalid { template: "syntax".into(), source })
}

fn format(output: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let write = |output: &mut Output, text: &str| output.write_str(text).map_err(Error::from);
    let kind = value.kind();
    match (value.as_str(), kind) {
        (Some(text), _) if value.is_safe() => write(output, text),
        (Some(text), _) => {
            let yaml = matches!(state.auto_escape(), AutoEscape::Custom(name) if name == "yaml");
            write(output, &if yaml { yaml::scalar(text) } else { text::markdown(text) })
        }
        (None, ValueKind::Number | ValueKind::Bool) => write(output, &value.to_string()),
        _ => Err(Error::new(ErrorKind::InvalidOperation, format!("cannot print a value of kind {kind}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(name: &'static str, source: &str, text: &str) -> Result<String, EmitError> {
        let templates = Templates::with(BTreeMap::from([(name, ("test".into(), source.into()))]))?;
        templates.render(name, "x", &serde_json::json!({ "text": text }))
    }

    #[test]
    fn the_embedded_ones_are_templates() {
        Templates::embedded().expect("parses");
    }

    #[test]
    fn values_are_escaped_for_their_file() {
        for (name, source, text, expected) in [
            (POLICY, "{{ text }}", "web", "web"),
            (POLICY, "{{ text }}", "yes", "\"yes\""),
            (POLICY, "# {{ text|comment }}", "a\nb", "# a\\nb"),
            (REVIEW, "{{ text }}", "<b>", "&lt;b>"),
            (REVIEW, "{{ text|code }}", "a", "`a`"),
        ] {
            let rendered = render(name, &format!("{{{{ marker }}}}\n{source}"), text).expect(source);
            assert_eq!(rendered.split_once('\n').map(|(_, rest)| rest.trim_end()), Some(expected), "{source}");
        }
    }

    #[test]
    fn a_template_without_the_marker_is_refused() {
        assert!(matches!(render(POLICY, "a: {{ text }}", "b"), Err(EmitError::TemplateMarker { .. })));
    }

    #[test]
    fn a_template_with_an_unknown_value_is_refused() {
        assert!(matches!(render(POLICY, "{{ marker }}\n{{ txt }}", "b"), Err(EmitError::TemplateInvalid { .. })));
    }

    #[test]
    fn a_directory_without_templates_is_refused() {
        let directory = tempfile::tempdir().expect("temporary directory");
        assert!(matches!(Templates::load(directory.path()), Err(EmitError::TemplatesMissing { .. })));
        std::fs::write(directory.path().join(POLICY), "{{ marker }}").expect("writes");
        let templates = Templates::load(directory.path()).expect("loads");
        assert!(templates.origin(POLICY).ends_with("/policy.yaml"));
        assert_eq!(templates.origin(REVIEW), "REVIEW.md (built in)");
    }
}
