//! `netpol-gen plan`: policies and what they rest on in, the steps to default deny out. It applies nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::capture;
use crate::coverage::{Discovery, blind_spots};
use crate::inventory::{Inventory, is_system_namespace};
use crate::learn::back_test;
use crate::migration::{Evidence, Found, Given, Migration, Reason, Terms, Wanted};
use crate::model::Code;
use crate::output::layout::{KUSTOMIZATION, QUARANTINE, REVIEW_JSON};
use crate::output::migration::{self as rendered, Places, staged};
use crate::output::policy_file::resources;
use crate::output::report::{self, Learned};
use crate::output::text::counted;
use crate::output::{self, Templates, manifest, plain};
use crate::policy::{self, PolicyOptions};
use crate::review::Suspicions;
use crate::review::decisions::Decisions;
use crate::verify::{self, ClusterView, PolicyName};

use super::args::Format;
use super::args_plan::Plan;
use super::console::say;
use super::decisions::Decided;
use super::exit;
use super::failure::Failure;
use super::ingest::Reading;
use super::learn::nothing_seen;
use super::load_inventory;
use super::output::write_out;
use super::policy_set::Policies;
use super::verify::{read, seen, tell_reading};

/// Reads, plans, tells.
pub(super) fn run(arguments: &Plan) -> Result<u8, Failure> {
    let terms = terms(arguments)?;
    let decided = Decided::read(&arguments.deciding, std::slice::from_ref(&arguments.policies))?;
    let templates = match &arguments.templates {
        Some(directory) => Templates::load(directory)?,
        None => Templates::embedded()?,
    };
    let directory = directory(&arguments.policies)?;
    let inputs = capture::expand(&arguments.read)?;
    let inventory = load_inventory::inventory(&arguments.known)?;
    let policies = Policies::load(std::slice::from_ref(&directory), None, &inventory)?;
    let given: BTreeMap<PolicyName, Given> = policies
        .objects
        .iter()
        .map(|(name, object)| (name.clone(), Given { object: object.clone(), digest: manifest::digest(object) }))
        .collect();
    let mut places = places(&directory, &policies, &given, arguments)?;
    // With those that the cluster has already.
    let mut all = policies.clone();
    if !arguments.without_cluster {
        all.join(&inventory);
    }

    let mut reading = if arguments.read.is_empty() {
        None
    } else {
        let reading = read(inputs, &arguments.replaying, &inventory)?;
        tell_reading(&reading, &inventory, &decided);
        if seen(&reading).is_empty() {
            return Err(nothing_seen(&reading));
        }
        Some(reading)
    };
    let world = ClusterView::from_inventory(&inventory);
    let denied = match &reading {
        Some(reading) => {
            // What a reviewer rejected is denied on purpose.
            let mut seen = seen(reading);
            seen.retain(|edge, evidence| decided.decisions.rejects(edge, evidence).is_none());
            verify::replay(&all.list(), &BTreeSet::new(), &world, seen.keys())?.denied
        }
        None => BTreeMap::new(),
    };
    let quarantined = quarantined(&arguments.policies, &policies)?;
    let path = arguments.policies.join(REVIEW_JSON);
    let learned = learned(&path)?;
    let learning = learned.as_ref();
    let (captures, inventories) = learning.map(learned_from).unwrap_or_default();
    places.captures = captures;
    places.namespaces = learning.and_then(|learned| learned.scope.clone()).unwrap_or_default();
    places.options = learning.map(|learned| learned.options.clone()).unwrap_or_default();
    places.has_quarantine =
        learning.map_or(!quarantined.is_empty(), |learned| learned.quarantine.is_some_and(|quarantine| quarantine.is_requested));
    places.includes_system = given.keys().any(|name| is_system_namespace(&name.namespace));
    // Of those who are gone by now, only the inventories of then tell.
    let own = arguments.known.inventory.iter().map(|path| path.display().to_string());
    places.inventories = inventories.into_iter().chain(own).collect::<BTreeSet<String>>().into_iter().collect();
    places.decisions = arguments.deciding.decisions.as_ref().map(|path| path.display().to_string());
    places.has_no_decisions = arguments.deciding.no_decisions;
    places.leftover = leftover(&policies, &all, arguments);
    let (evidence, source) = evidence(&path, learned, &policies, &mut reading, &inventory, &decided.decisions)?;
    places.evidence = source;

    let namespaces: BTreeSet<String> = arguments.namespace.iter().cloned().collect();
    let subjects = policy::subjects(&inventory, &PolicyOptions { includes_system: true, ..PolicyOptions::default() });
    let is_there = |name: &&String| subjects.contains(*name) || given.keys().any(|policy| policy.namespace == **name);
    if let Some(missing) = namespaces.iter().find(|name| !is_there(name)) {
        return Err(Failure::no_such_namespace(missing, &inventory));
    }
    let migration = Migration::new(
        &Wanted {
            policies: &given,
            existing: if arguments.without_cluster { &[] } else { inventory.existing_policies() },
            inventory: &inventory,
            world: &world,
            evidence: evidence.as_ref(),
            denied: &denied,
            quarantined: &quarantined,
            namespaces: (!namespaces.is_empty()).then_some(&namespaces),
        },
        &terms,
    )?;
    if migration.namespaces.is_empty() {
        return Err(Failure::NothingToPlan { directory });
    }
    write(arguments, &migration, &places, &templates)?;
    let is_whole = reading.is_none_or(|reading| reading.errors.is_empty());
    let code = if migration.is_ready() { exit::DONE } else { exit::DENIED };
    Ok(if is_whole { code } else { exit::FAILED })
}

fn terms(arguments: &Plan) -> Result<Terms, Failure> {
    let known: BTreeSet<&str> = Reason::all().map(Reason::name).collect();
    if let Some(word) = arguments.accept.iter().find(|word| !known.contains(word.as_str())) {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Failure::NoSuchReason { word: word.clone(), known });
    }
    Ok(Terms {
        most_chance: arguments.max_chance,
        least_seconds: arguments.min_watched.as_secs(),
        accepted: arguments.accept.iter().cloned().collect(),
    })
}

/// The directory as commands name it: without a slash at its end.
fn directory(path: &Path) -> Result<String, Failure> {
    let unreadable = |source| Failure::PoliciesUnreadable { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Err(unreadable(ErrorKind::NotADirectory.into()));
    }
    let text = path.to_str().ok_or_else(|| unreadable(ErrorKind::InvalidFilename.into()))?;
    let trimmed = text.trim_end_matches('/');
    Ok(if trimmed.is_empty() { text.to_owned() } else { trimmed.to_owned() })
}

/// Policies of this tool in the cluster that are not among the given ones, in namespaces that are.
fn leftover(policies: &Policies, all: &Policies, arguments: &Plan) -> BTreeSet<PolicyName> {
    let is_concerned = |name: &PolicyName| {
        let is_planned = policies.objects.keys().any(|given| given.namespace == name.namespace);
        let is_wanted = arguments.namespace.is_empty() || arguments.namespace.contains(&name.namespace);
        is_planned && is_wanted && !policies.objects.contains_key(name)
    };
    all.objects.keys().filter(|name| all.class(name).is_some() && is_concerned(name)).cloned().collect()
}

/// Where each policy is. A file that holds several cannot be applied step by step.
fn places(
    directory: &str,
    policies: &Policies,
    given: &BTreeMap<PolicyName, Given>,
    arguments: &Plan,
) -> Result<Places, Failure> {
    let mut files: BTreeMap<PolicyName, String> = BTreeMap::new();
    let mut owners: BTreeMap<&str, &PolicyName> = BTreeMap::new();
    for name in policies.objects.keys() {
        let Some(file) = policies.file(name) else { continue };
        if let Some(other) = owners.insert(file, name) {
            return Err(Failure::SeveralInAFile { file: file.to_owned(), names: format!("{other} and {name}") });
        }
        files.insert(name.clone(), file.to_owned());
    }
    let namespaces: BTreeSet<&str> = files.keys().map(|name| name.namespace.as_str()).collect();
    let is_kustomized = |namespace: &&str| {
        let folder = format!("{directory}/{namespace}");
        let path = format!("{folder}/{KUSTOMIZATION}");
        let Ok(text) = plain::read_to_string(Path::new(&path), LONGEST) else { return false };
        // By what it says, as the steps go: a kustomization that brings the deny along is none of what allows.
        let deny = |name: &PolicyName| given.get(name).is_some_and(Given::is_default_deny);
        let own = files.iter().filter(|(name, _)| name.namespace == *namespace && !deny(name));
        let own: Option<BTreeSet<String>> =
            own.map(|(_, file)| Some(file.strip_prefix(&folder)?.strip_prefix('/')?.to_owned())).collect();
        own.is_some_and(|own| !own.is_empty() && resources(&text) == Some(own))
    };
    let kustomized = namespaces.into_iter().filter(is_kustomized).map(str::to_owned).collect();
    let output = arguments.staged.and(arguments.output.as_ref());
    let staged = output.map(|output| format!("{}/{}", output.display().to_string().trim_end_matches('/'), staged::STAGED));
    Ok(Places { directory: directory.to_owned(), files, kustomized, staged, ..Places::default() })
}

/// The longest review, and the longest kustomization, that is read.
const LONGEST: u64 = 256 << 20;

/// The review beside the policies; nothing if there is none, or one that cannot be understood.
fn learned(path: &Path) -> Result<Option<Learned>, Failure> {
    let unreadable = |source| Failure::PoliciesUnreadable { path: path.to_owned(), source };
    match fs::metadata(path) {
        // What is no file (a pipe, a device) may have no end.
        Ok(metadata) if !metadata.is_file() => Err(unreadable(io::Error::new(ErrorKind::InvalidInput, "it is no file"))),
        Ok(metadata) if metadata.len() > LONGEST => {
            let message = format!("it is longer than {LONGEST} bytes");
            Err(unreadable(io::Error::new(ErrorKind::FileTooLarge, message)))
        }
        Ok(_) => fs::read(path).map(|bytes| report::read(&String::from_utf8_lossy(&bytes))).map_err(unreadable),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(unreadable(source)),
    }
}

/// What the policies rest on, and where that is from: the review beside them if it is theirs, else the capture, else nothing.
fn evidence(
    path: &Path,
    learned: Option<Learned>,
    policies: &Policies,
    reading: &mut Option<Reading>,
    inventory: &Inventory,
    decisions: &Decisions,
) -> Result<(Option<Evidence>, String), Failure> {
    let evidence = learned.and_then(of_review);
    let digest = |name: &PolicyName| policies.objects.get(name).map(manifest::digest);
    let is_theirs = |evidence: &Evidence| {
        let learned = evidence.policies.iter().flatten();
        learned.clone().count() == policies.objects.len()
            && learned.into_iter().all(|(name, own)| digest(name).as_ref() == Some(own))
    };
    match (evidence, reading) {
        (Some(evidence), None) => Ok((Some(evidence), format!("the evidence is that of {}", path.display()))),
        (Some(evidence), Some(_)) if is_theirs(&evidence) => {
            let source = format!("the evidence is that of {}, and later traffic was held against the policies", path.display());
            Ok((Some(evidence), source))
        }
        (evidence, Some(reading)) => {
            let why = if evidence.is_some() { "is of other policies" } else { "is missing or cannot be read" };
            let source = format!("{} {why}: the evidence is the captures given with --read", path.display());
            Ok((Some(of_capture(reading, policies, inventory, decisions)?), source))
        }
        (None, None) => {
            Ok((None, format!("{} is missing or cannot be read, so there is no evidence for the policies", path.display())))
        }
    }
}

/// The captures and the inventories that the policies were learned from, if all of them are still where they were.
fn learned_from(learned: &Learned) -> (Vec<String>, Vec<String>) {
    let (sources, inventories) = (&learned.captures.sources, &learned.captures.inventories);
    let are_there =
        sources.iter().all(|path| Path::new(path).is_file()) && inventories.iter().all(|path| Path::new(path).exists());
    if are_there { (sources.clone(), inventories.clone()) } else { (Vec::new(), Vec::new()) }
}

fn of_review(learned: Learned) -> Option<Evidence> {
    let coverage = learned.coverage?;
    let mut policies = BTreeMap::new();
    for (namespace, own) in learned.namespaces {
        for policy in own.policies {
            policies.insert(PolicyName { namespace: namespace.clone(), name: policy.name }, policy.digest);
        }
    }
    let findings = learned.findings.into_iter().filter_map(|found| {
        let code = *Code::ALL.iter().find(|code| code.name() == found.code)?;
        Some(Found { code, subject: found.subject, message: found.message })
    });
    Some(Evidence {
        seconds: coverage.discovery.seconds,
        namespaces: coverage.discovery.namespaces,
        back_test: coverage.back_test,
        findings: findings.collect(),
        policies: Some(policies),
    })
}

/// What learning from the capture would say, whatever policies there are.
fn of_capture(
    reading: &mut Reading,
    policies: &Policies,
    inventory: &Inventory,
    decisions: &Decisions,
) -> Result<Evidence, Failure> {
    let options = PolicyOptions {
        namespaces: Some(policies.objects.keys().map(|name| name.namespace.clone()).collect()),
        includes_system: true,
        ..PolicyOptions::default()
    };
    let back_test = back_test(&mut reading.observation, inventory, &options)?;
    let set = policy::make(&reading.observation, inventory, &options);
    let mut findings = reading.findings.clone();
    findings.merge(inventory.findings().clone());
    findings.merge(reading.observation.findings.clone());
    findings.merge(blind_spots(&reading.observation, inventory, &set.namespaces));
    let discovery = Discovery::new(&reading.observation, inventory, &set);
    let edges = reading.observation.edges.iter();
    let decided = edges
        .filter(|(edge, evidence)| decisions.accepts(edge, evidence).or_else(|| decisions.rejects(edge, evidence)).is_some());
    let decided = decided.map(|(edge, _)| edge.clone()).collect();
    findings.merge(Suspicions::new(&reading.observation, inventory, &set.namespaces, decided).undecided(&reading.observation));
    findings.merge(set.findings);
    let mut evidence =
        Evidence { seconds: discovery.seconds, namespaces: discovery.namespaces, back_test, ..Evidence::default() };
    evidence.set_findings(&findings);
    Ok(evidence)
}

/// Files of policies that were set apart, by namespace.
fn quarantined(directory: &Path, policies: &Policies) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let mut quarantined = BTreeMap::new();
    let namespaces: BTreeSet<&str> = policies.objects.keys().map(|name| name.namespace.as_str()).collect();
    for namespace in namespaces {
        let path = directory.join(namespace).join(QUARANTINE);
        let unreadable = |source| Failure::PoliciesUnreadable { path: path.clone(), source };
        let listing = match fs::read_dir(&path) {
            Ok(listing) => listing,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(source) => return Err(unreadable(source)),
        };
        let mut files = Vec::new();
        for entry in listing {
            let path = entry.map_err(unreadable)?.path();
            let is_policy = path.extension().is_some_and(|end| end == "yaml") && !path.ends_with(KUSTOMIZATION);
            files.extend(path.file_name().filter(|_| is_policy).map(|name| name.to_string_lossy().into_owned()));
        }
        files.sort();
        if !files.is_empty() {
            quarantined.insert(namespace.to_owned(), files);
        }
    }
    Ok(quarantined)
}

fn write(arguments: &Plan, migration: &Migration, places: &Places, templates: &Templates) -> Result<(), Failure> {
    if let Some(output) = &arguments.output {
        let files = rendered::files(migration, places, templates)?;
        let options = output::sink::Options { force: arguments.force, refresh_evidence: false };
        let written = output::sink::write_migration(&files, output, options)?;
        say(&format!(
            "files: {} written, {} unchanged, {} removed; {} is the plan",
            written.written,
            written.unchanged,
            written.removed,
            output.join(rendered::FILE).display()
        ));
    }
    let namespaces = u64::try_from(migration.namespaces.len()).unwrap_or(u64::MAX);
    let ready = migration.namespaces.iter().filter(|namespace| migration.may_go(namespace)).count();
    say(&format!("plan: {ready} of {} ready", counted(namespaces, "namespace", "namespaces")));
    match arguments.format {
        Format::Json => write_out(&rendered::json(migration, places)?),
        Format::Text if arguments.output.is_none() => write_out(&rendered::markdown(migration, places, templates)?),
        Format::Text => Ok(()),
    }
}
