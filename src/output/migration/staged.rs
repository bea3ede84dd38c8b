//! The same policies for a dry run: Calico's `StagedKubernetesNetworkPolicy`, which is evaluated and reported, and enforces nothing.
//!
//! In: NetworkPolicies. Out: files, one for a policy, and a kustomization. The resource has the fields of a NetworkPolicy's `spec` and one
//! more, `stagedAction`, which means `Set` where it is left out (github.com/projectcalico/api,
//! `pkg/apis/projectcalico/v3/stagedkubernetesnetworkpolicy.go`); so the `spec` is the same to the letter. What is written is read
//! back and compared, as all YAML of this tool.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use crate::output::answer::paste;
use crate::output::layout::{Content, KUSTOMIZATION, Planned};
use crate::output::template::YAML_MARKER;
use crate::output::{EmitError, Templates, manifest, render, yaml};
use crate::verify::PolicyName;

/// The directory of the dry run. No namespace's name begins with an underscore.
pub const STAGED: &str = "_staged";
/// The kind of its objects.
pub const KIND: &str = "StagedKubernetesNetworkPolicy";
const VERSION: &str = "projectcalico.org/v3";

/// The files of the dry run, by path below the output directory.
///
/// # Errors
/// A text that does not read back as what it should say.
pub fn files<'a>(
    policies: impl IntoIterator<Item = (&'a PolicyName, &'a NetworkPolicy)>,
    templates: &Templates,
) -> Result<BTreeMap<String, Planned>, EmitError> {
    let mut files = BTreeMap::new();
    let mut resources = BTreeSet::new();
    for (name, policy) in policies {
        let inner = format!("{}/{}.yaml", name.namespace, name.name);
        let path = format!("{STAGED}/{inner}");
        files.insert(path.clone(), Planned { content: Content::Staged, text: text(name, policy, &path)? });
        resources.insert(inner);
    }
    if !resources.is_empty() {
        let path = format!("{STAGED}/{KUSTOMIZATION}");
        let about = "A dry run of all policies on live traffic, for Calico: reported, not enforced.";
        let text = render::kustomization(&path, about, &resources, templates)?;
        files.insert(path, Planned { content: Content::Kustomization, text });
    }
    Ok(files)
}

/// One policy of the dry run.
fn text(name: &PolicyName, policy: &NetworkPolicy, file: &str) -> Result<String, EmitError> {
    let object = object(name, policy);
    let about = "# A dry run for Calico: reported in its flow logs, not enforced.";
    let text = format!("{YAML_MARKER}; overwritten when the result changes.\n{about}\n{}", paste::object(&object));
    match yaml::read(&text) {
        Ok(read) => match render::first_difference("", &object, &read) {
            None => Ok(text),
            Some(difference) => {
                Err(EmitError::TemplateDiffers { template: format!("{KIND} (built in)"), file: file.to_owned(), difference })
            }
        },
        Err(source) => Err(EmitError::TemplateYaml { template: format!("{KIND} (built in)"), file: file.to_owned(), source }),
    }
}

fn object(name: &PolicyName, policy: &NetworkPolicy) -> Value {
    json!({
        "apiVersion": VERSION, "kind": KIND,
        "metadata": {
            "name": name.name, "namespace": name.namespace, "labels": { manifest::MANAGED_BY: manifest::TOOL },
        },
        "spec": policy.spec,
    })
}
