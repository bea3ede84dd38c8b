//! Trees in, objects out: takes lists and records of a watch apart and counts what cannot be read.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::inventory::History;
use crate::inventory::object::{Metadata, Object};
use crate::model::{Code, Findings, Labels};

use super::bounded::Meter;
use super::contents::{self, Contents, EXPECTED};
use super::internal_names::respelled;
use super::node::{Tree, shorten};
use super::parse::{self, ListKind};
use super::record::{self, Said};
use super::resource;

/// Keys that are more than once in a mapping of the tree at hand; the readers keep the last of each.
pub(super) type Repeated = RefCell<BTreeSet<String>>;

/// Where the readers put what they read.
pub(super) struct Sink<'o> {
    name: &'o str,
    findings: &'o mut Findings,
    receive: &'o mut dyn FnMut(Object),
    /// Items of the list at hand that do not say their kind, until the list has said it.
    unnamed: Vec<(Tree, Place)>,
    /// What the list at hand has said of its items so far.
    list: Option<ListKind>,
    /// What the place of the file says of its objects.
    place: Option<ListKind>,
    /// Whether the document at hand is an array: nothing will be said of its items.
    is_array: bool,
    /// What the file held so far.
    contents: Contents,
    /// Whether the document at hand had items.
    has_items: bool,
    position: u64,
    meter: Meter,
    /// All that objects had so far.
    labels: HashSet<Arc<Labels>>,
    /// Of the records of a watch, if there are any.
    history: History,
    /// The version that the file's header names, if it is not ours.
    other_version: Option<String>,
}

/// Where an object stands in its file: its line in YAML, its number in JSON.
#[derive(Clone, Copy)]
struct Place {
    line: usize,
    position: u64,
}

impl<'o> Sink<'o> {
    pub(super) fn new(name: &'o str, findings: &'o mut Findings, receive: &'o mut dyn FnMut(Object)) -> Self {
        Self {
            name,
            findings,
            receive,
            unnamed: Vec::new(),
            list: None,
            place: None,
            is_array: false,
            contents: Contents::default(),
            has_items: false,
            position: 0,
            history: History::default(),
            other_version: None,
            meter: Meter::default(),
            labels: HashSet::new(),
        }
    }

    /// Tells the reader where objects end.
    pub(super) fn metered(self, meter: Meter) -> Self {
        Self { meter, ..self }
    }

    /// Names the kind of objects that say none, from where the file is.
    pub(super) fn of(self, place: Option<ListKind>) -> Self {
        Self { place, ..self }
    }

    /// What the file held so far.
    pub(super) fn contents(&self) -> Contents {
        self.contents.clone()
    }

    /// A document begins.
    pub(super) fn open(&mut self) {
        self.unnamed.clear();
        self.list = None;
        self.is_array = false;
        self.has_items = false;
        self.meter.set(0);
    }

    /// A document begins that is an array of objects.
    pub(super) fn open_array(&mut self) {
        self.open();
        self.is_array = true;
    }

    /// A document that is no object and no list.
    pub(super) fn scalar(&mut self, tree: &Tree) {
        self.position += 1;
        self.contents.add_foreign(|| contents::describe(tree));
        self.meter.set(0);
    }

    /// The items of the document's list begin; `before` is what came before them. The API says the kind first, so that items
    /// without one of their own need not be held until the end.
    pub(super) fn begin_items(&mut self, before: &Tree) {
        self.has_items = true;
        self.list = ListKind::of(before).or_else(|| resource::of_link(before));
    }

    /// An item of the document's list.
    pub(super) fn item(&mut self, item: Tree, line: usize, repeated: &Repeated) {
        self.has_items = true;
        self.position += 1;
        let place = Place { line, position: self.position };
        self.report(&item, place, repeated);
        let item = respelled(item);
        if item.get("kind").and_then(Tree::text).is_some() || self.is_array || is_list(&item) {
            self.take(item, None, place);
        } else if let Some(list) = self.list.take() {
            self.take(item, Some(&list), place);
            self.list = Some(list);
        } else if let Some(kind) = resource::of_link(&item) {
            self.take(item, Some(&kind), place);
        } else {
            self.unnamed.push((item, place));
            return;
        }
        self.meter.set(0);
    }

    /// The document ends; `rest` is all of it but the items.
    pub(super) fn close(&mut self, rest: Tree, line: usize, repeated: &Repeated) {
        let rest = respelled(rest);
        let list = ListKind::of(&rest).or_else(|| if self.has_items { resource::of_link(&rest) } else { None });
        for (item, place) in std::mem::take(&mut self.unnamed) {
            self.take(item, list.as_ref(), place);
        }
        // Kinds of single objects may end in `List` too (`AllowList`); these have names.
        let is_named = rest.get("metadata").and_then(|metadata| metadata.get("name")).is_some();
        let is_list = self.has_items || (list.is_some() && !is_named);
        let is_empty = matches!(&rest, Tree::Mapping(members) if members.is_empty());
        self.contents.recognized += u64::from(is_list && (list.is_some() || self.place.is_some()));
        self.contents.is_list |= is_list;
        if !is_list && !is_empty {
            self.position += 1;
            let place = Place { line, position: self.position };
            self.report(&rest, place, repeated);
            match record::kind(&rest) {
                Some(kind) => self.record(kind, &rest, place),
                None => self.take(rest, None, place),
            }
        }
        self.meter.set(0);
    }

    /// Says which members a mapping has more than once.
    fn report(&mut self, tree: &Tree, place: Place, repeated: &Repeated) {
        for key in repeated.take() {
            let subject = parse::describe(tree, self.list.as_ref()).unwrap_or_else(|| self.placed(place));
            let message =
                format!("has `{}` more than once in one mapping, of which the last counts ({})", shorten(&key), self.name);
            self.findings.add(Code::UnreadableObject, subject, message);
        }
    }

    fn placed(&self, place: Place) -> String {
        match place.line {
            0 => format!("object {} of {}", place.position, self.name),
            line => format!("object at line {line} of {}", self.name),
        }
    }

    /// The version that the file's header names, if it is not one that can be read.
    pub(super) fn other_version(&self) -> Option<&str> {
        self.other_version.as_deref()
    }

    /// Whether there were records of a watch: what can be read of them counts, also if the file then breaks off.
    pub(super) const fn has_records(&self) -> bool {
        self.history.records() > 0
    }

    /// The file breaks off.
    pub(super) fn tear(&mut self) {
        let message = format!("breaks off, after {} records", self.history.records());
        self.findings.add(Code::TruncatedFile, self.name, message);
        // Said once.
        self.history.end();
    }

    /// Nothing follows.
    pub(super) fn finish(&mut self) {
        if self.has_records() {
            self.contents.recognized += self.history.records();
            self.contents.is_list = true;
            let snapshot = std::mem::take(&mut self.history).conclude(self.name);
            self.findings.merge(snapshot.findings);
            snapshot.objects.into_iter().for_each(&mut *self.receive);
        }
    }

    fn record(&mut self, kind: &str, tree: &Tree, place: Place) {
        match record::read(kind, tree) {
            Ok(Said::Header) => self.history.open(),
            Ok(Said::Change { change, at, object }) => {
                if let Some(object) = self.convert(object, None, place) {
                    self.history.observe(change, at, object);
                }
            }
            Ok(Said::Gap(gap)) => self.history.gap(gap),
            Ok(Said::LeftOut { kinds, reason }) => self.history.leave_out(kinds, &reason),
            Ok(Said::End) => self.history.end(),
            Ok(Said::Nothing) => {}
            Ok(Said::OtherVersion(version)) => self.other_version = Some(version),
            Err(mismatch) => {
                self.contents.add_foreign(|| contents::describe(tree));
                let message = format!("cannot be read: {mismatch} ({})", self.name);
                self.findings.add(Code::UnreadableObject, format!("record of type `{}`", shorten(kind)), message);
            }
        }
    }

    fn take(&mut self, tree: Tree, list: Option<&ListKind>, place: Place) {
        // A list among the items of a list; the tree is no deeper than the readers allow.
        if let Tree::Mapping(mut members) = tree {
            if let Some(Tree::Sequence(items)) = members.remove("items").or_else(|| members.remove("Items")) {
                let rest = Tree::Mapping(members);
                let list = ListKind::of(&rest).or_else(|| resource::of_link(&rest));
                self.contents.recognized += u64::from(list.is_some());
                for item in items {
                    self.take(respelled(item), list.as_ref(), place);
                }
                return;
            }
            self.hand_on(&Tree::Mapping(members), list, place);
        } else {
            self.hand_on(&tree, list, place);
        }
    }

    /// Hands on an object that says its kind, or whose list, link, file or shape does.
    fn hand_on(&mut self, tree: &Tree, list: Option<&ListKind>, place: Place) {
        let said = tree.get("kind").and_then(Tree::text).is_some_and(|kind| !kind.is_empty());
        let known = list.filter(|list| said || !list.kind().is_empty()).cloned();
        let known = known.or_else(|| if said { None } else { self.kind_elsewhere(tree) });
        if !said && known.is_none() {
            self.contents.add_foreign(|| contents::describe(tree));
            let subject = parse::describe(tree, None).unwrap_or_else(|| self.placed(place));
            let message = format!("cannot be read: {EXPECTED}, found {} ({})", contents::describe(tree), self.name);
            self.findings.add(Code::UnreadableObject, subject, message);
            return;
        }
        self.contents.recognized += 1;
        let kind = tree.get("kind").and_then(Tree::text).unwrap_or_default();
        if kind == "Status" {
            // What `kubectl get --raw` and programs that ask the API write where it refused.
            let message = tree.get("message").and_then(Tree::text).unwrap_or("nothing more is said");
            let message = format!("holds an error of the API server instead of objects: {}", shorten(message));
            self.findings.add(Code::UnreadableObject, self.name, message);
            return;
        }
        if tree.get("metadata").is_none() && !kind.is_empty() && !resource::is_known(kind) {
            // A file for a program (a kubeconfig, a kustomization), and no object of a cluster.
            self.findings.add(Code::UnknownKind, shorten(kind), UNKNOWN);
            return;
        }
        if let Some(object) = self.convert(tree, known.as_ref(), place) {
            (self.receive)(object);
        }
    }

    /// The kind of an object that does not say it; nothing for what has no metadata, and so is no object.
    fn kind_elsewhere(&self, tree: &Tree) -> Option<ListKind> {
        tree.get("metadata")?;
        resource::of_link(tree).or_else(|| self.place.clone()).or_else(|| resource::of_shape(tree))
    }

    /// Replicas have the same labels: all but the first share them.
    fn share_labels(&mut self, metadata: &mut Metadata) {
        match self.labels.get(&metadata.labels) {
            Some(known) => metadata.labels = Arc::clone(known),
            None => _ = self.labels.insert(Arc::clone(&metadata.labels)),
        }
    }

    fn convert(&mut self, tree: &Tree, list: Option<&ListKind>, place: Place) -> Option<Object> {
        let mut complaints = Vec::new();
        let converted = parse::object(tree, list, &mut complaints);
        let subject = parse::describe(tree, list).unwrap_or_else(|| self.placed(place));
        for complaint in complaints {
            let message = format!("has {complaint}, which was left out ({})", self.name);
            self.findings.add(Code::UnreadableObject, subject.clone(), message);
        }
        match converted {
            Ok(mut object) => {
                self.share_labels(&mut object.metadata);
                Some(object)
            }
            Err(mismatch) => {
                let message = format!("cannot be read: {mismatch} ({})", self.name);
                self.findings.add(Code::UnreadableObject, subject, message);
                None
            }
        }
    }
}

/// What is said of kinds of which nothing is read.
pub(in crate::inventory) const UNKNOWN: &str = "objects say nothing about addresses or owners";

/// Whether it is a list without a kind.
fn is_list(tree: &Tree) -> bool {
    ["items", "Items"].iter().any(|name| matches!(tree.get(name), Some(Tree::Sequence(_))))
}
