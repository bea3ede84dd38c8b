//! Which files a run writes, and where.
//!
//! ```text
//! kustomization.yaml                 the namespaces: what is allowed      kubectl apply -k .
//! REVIEW.md
//! REVIEW.json                        the same for programs
//! _default-deny/kustomization.yaml   ../<namespace>/default-deny          kubectl apply -k _default-deny
//! <namespace>/kustomization.yaml     its policies that allow
//! <namespace>/<policy>.yaml
//! <namespace>/_candidates.yaml       comments only, on request
//! <namespace>/_quarantine/<policy>.yaml    on request; no kustomization names them
//! <namespace>/default-deny/kustomization.yaml
//! <namespace>/default-deny/<policy>.yaml
//! ```
//!
//! In: policies, the namespaces this run speaks for, and those that earlier runs left. Out: texts by path. An underscore begins no
//! namespace's name, and kustomize refuses a kustomization without resources; so `_default-deny` collides with nothing and a
//! kustomization that would be empty is left out. Names are checked before they become paths.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use crate::coverage::Candidate;
use crate::model::{Class, Explained, Policy};
use crate::review::Reasons;

use super::{EmitError, Templates, candidates, render};

/// The file that makes a directory one for `kubectl apply -k`.
pub const KUSTOMIZATION: &str = "kustomization.yaml";
/// The review.
pub const REVIEW: &str = "REVIEW.md";
/// The same for programs, which `plan` reads.
pub const REVIEW_JSON: &str = "REVIEW.json";
/// The candidates of a namespace. No policy has this name: it begins with an underscore.
pub const CANDIDATES: &str = "_candidates.yaml";
/// The directory of a namespace's policies that nothing applies until somebody has accepted them. No namespace and no policy has
/// this name.
pub const QUARANTINE: &str = "_quarantine";
/// The directory of a namespace's default deny.
pub const DEFAULT_DENY: &str = "default-deny";
/// The directory that gathers all default denies.
pub const ALL_DEFAULT_DENY: &str = "_default-deny";

/// The namespaces a run speaks for: only their files may be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All there are and ever were.
    Everything,
    /// These and no others.
    Namespaces(BTreeSet<String>),
}

impl Scope {
    /// Whether the run speaks for this namespace.
    #[must_use]
    pub fn covers(&self, namespace: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Namespaces(namespaces) => namespaces.contains(namespace),
        }
    }
}

/// What earlier runs left in the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    /// Namespaces with a kustomization of policies that allow.
    pub allow: BTreeSet<String>,
    /// Namespaces with a kustomization of the default deny.
    pub default_deny: BTreeSet<String>,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One policy, with comments.
    Policy(Box<Policy>),
    /// A kustomization.
    Kustomization,
    /// The review.
    Review,
    /// The review as JSON.
    ReviewJson,
    /// Candidates, all of it comments.
    Candidates,
    /// A policy of a dry run.
    Staged,
}

/// A file to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What it is.
    pub content: Content,
    /// Its text.
    pub text: String,
}

/// The files of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// By path relative to the output directory, with `/`.
    pub files: BTreeMap<String, Planned>,
    /// The namespaces this run speaks for.
    pub scope: Scope,
}

impl Plan {
    /// Lays out the policies, rendered by so many threads.
    ///
    /// # Errors
    /// A name that cannot be a path, two policies of one name, or a template that fails.
    pub fn new(
        policies: &[Explained],
        scope: Scope,
        existing: &Existing,
        templates: &Templates,
        threads: NonZeroUsize,
    ) -> Result<Self, EmitError> {
        let texts = render::all(policies, &Reasons::new(), templates, threads)?;
        let mut plan = Self { files: BTreeMap::new(), scope };
        // Namespace -> file names.
        let mut allow: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let mut default_deny: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (explained, text) in policies.iter().zip(texts) {
            let policy = &explained.policy;
            check_names(policy)?;
            let denies = policy.class == Class::DefaultDeny;
            let file = format!("{}.yaml", policy.name);
            let directory = directory(&policy.namespace, denies);
            // One namespace has one set of names, whatever the directory.
            let other = self::directory(&policy.namespace, !denies);
            let (path, other) = (format!("{directory}/{file}"), format!("{other}/{file}"));
            if plan.files.contains_key(&path) || plan.files.contains_key(&other) {
                return Err(EmitError::DuplicateName { namespace: policy.namespace.clone(), name: policy.name.clone() });
            }
            plan.files.insert(path, Planned { content: Content::Policy(Box::new(policy.clone())), text });
            if denies { &mut default_deny } else { &mut allow }.entry(&policy.namespace).or_default().insert(file);
        }
        let mut top: BTreeSet<String> =
            existing.allow.iter().filter(|namespace| !plan.scope.covers(namespace)).cloned().collect();
        for (namespace, files) in &allow {
            let about = format!("Allow rules of {namespace}. Its default deny is in {DEFAULT_DENY}/; apply it last.");
            plan.kustomize(&directory(namespace, false), &about, files, templates)?;
            top.insert((*namespace).to_owned());
        }
        let beyond = existing.default_deny.iter().filter(|namespace| !plan.scope.covers(namespace));
        let mut bottom: BTreeSet<String> = beyond.map(|namespace| format!("../{}", directory(namespace, true))).collect();
        for (namespace, files) in &default_deny {
            let about = format!("The default deny of {namespace}; apply it after the allow rules.");
            plan.kustomize(&directory(namespace, true), &about, files, templates)?;
            bottom.insert(format!("../{}", directory(namespace, true)));
        }
        let about = format!("Allow rules of all namespaces. The default deny is in {ALL_DEFAULT_DENY}/; apply it last.");
        plan.kustomize("", &about, &top, templates)?;
        let about = "The default deny of all namespaces; apply it after the allow rules.";
        plan.kustomize(ALL_DEFAULT_DENY, about, &bottom, templates)?;
        Ok(plan)
    }

    /// Adds the review, for people and for programs.
    pub fn set_review(&mut self, text: String, json: String) {
        self.files.insert(REVIEW.into(), Planned { content: Content::Review, text });
        self.files.insert(REVIEW_JSON.into(), Planned { content: Content::ReviewJson, text: json });
    }

    /// Adds the candidates of each namespace, which no kustomization names.
    pub fn set_candidates(&mut self, candidates: &[Candidate]) {
        let mut by_namespace: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
        for candidate in candidates.iter().filter(|candidate| is_namespace_name(&candidate.workload.namespace)) {
            by_namespace.entry(&candidate.workload.namespace).or_default().push(candidate);
        }
        for (namespace, candidates) in by_namespace {
            let text = candidates::text(namespace, &candidates);
            self.files.insert(format!("{namespace}/{CANDIDATES}"), Planned { content: Content::Candidates, text });
        }
    }

    /// Adds the policies in quarantine, which no kustomization names.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn set_quarantined(
        &mut self,
        policies: &[Explained],
        reasons: &Reasons,
        templates: &Templates,
        threads: NonZeroUsize,
    ) -> Result<(), EmitError> {
        let texts = render::all(policies, reasons, templates, threads)?;
        for (explained, text) in policies.iter().zip(texts) {
            let policy = &explained.policy;
            check_names(policy)?;
            let path = format!("{}/{QUARANTINE}/{}.yaml", policy.namespace, policy.name);
            let planned = Planned { content: Content::Policy(Box::new(policy.clone())), text };
            if self.files.insert(path, planned).is_some() {
                return Err(EmitError::DuplicateName { namespace: policy.namespace.clone(), name: policy.name.clone() });
            }
        }
        Ok(())
    }

    fn kustomize(
        &mut self,
        directory: &str,
        about: &str,
        resources: &BTreeSet<String>,
        templates: &Templates,
    ) -> Result<(), EmitError> {
        if resources.is_empty() {
            return Ok(());
        }
        let path = if directory.is_empty() { KUSTOMIZATION.to_owned() } else { format!("{directory}/{KUSTOMIZATION}") };
        let text = render::kustomization(&path, about, resources, templates)?;
        self.files.insert(path, Planned { content: Content::Kustomization, text });
        Ok(())
    }
}

fn directory(namespace: &str, denies: bool) -> String {
    if denies { format!("{namespace}/{DEFAULT_DENY}") } else { namespace.to_owned() }
}

fn check_names(policy: &Policy) -> Result<(), EmitError> {
    let bad = |what, name: &str, why| Err(EmitError::BadName { what, name: name.to_owned(), why });
    if !is_namespace_name(&policy.namespace) {
        return bad("namespace", &policy.namespace, "it is no DNS label (RFC 1123)");
    }
    if !policy.name.split('.').all(is_label) {
        return bad("policy", &policy.name, "it is no DNS name (RFC 1123)");
    }
    // With `.yaml`, 255 bytes: the longest file name there is.
    if policy.name.len() > 250 {
        return bad("policy", &policy.name, "it is longer than 250 characters");
    }
    if policy.name == "kustomization" {
        return bad("policy", &policy.name, "its file would be taken for a kustomization");
    }
    Ok(())
}

/// Whether this can name a namespace: a DNS label of RFC 1123, at most 63 characters.
#[must_use]
pub fn is_namespace_name(name: &str) -> bool {
    is_label(name) && name.len() <= 63
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
}
