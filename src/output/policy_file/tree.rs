//! YAML as values with their places, read as Kubernetes reads it: by YAML 1.1, where `yes` is no string.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use crate::output::yaml::YamlProblem;

/// How deep values may be nested; a NetworkPolicy has no more than ten levels.
const DEPTH: usize = 100;
/// How many bytes anchors and aliases may stand for.
const REPEATED: usize = 16 << 20;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) content: Content,
    /// From 1.
    pub(super) line: usize,
    /// From 1.
    pub(super) column: usize,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Scalar(Value),
    Sequence(Vec<Node>),
    /// Keys with their places, none twice.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// Something wrong with it.
    pub(super) fn problem(&self, what: &str) -> YamlProblem {
        YamlProblem { line: self.line, column: self.column, what: what.to_owned() }
    }

    /// The value of a key, if it is a mapping that has it and says more than null.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.members().iter().find(|(own, _)| own.text() == Some(key)).map(|(_, value)| value).filter(|value| !value.is_null())
    }

    pub(super) fn members(&self) -> &[(Self, Self)] {
        if let Content::Mapping(members) = &self.content { members } else { &[] }
    }

    pub(super) fn items(&self) -> &[Self] {
        if let Content::Sequence(items) = &self.content { items } else { &[] }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(Value::Null))
    }

    /// The text of a string.
    pub(super) fn text(&self) -> Option<&str> {
        if let Content::Scalar(Value::String(text)) = &self.content { Some(text) } else { None }
    }

    /// Without places, and without members that are null.
    pub(super) fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::Sequence(items) => items.iter().map(Self::value).collect(),
            Content::Mapping(members) => {
                let said = members.iter().filter(|(_, value)| !value.is_null());
                let members = said.filter_map(|(key, value)| Some((key.text()?.to_owned(), value.value())));
                Value::Object(members.collect::<Map<String, Value>>())
            }
        }
    }

    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.content {
                Content::Scalar(Value::String(text)) => text.len(),
                Content::Scalar(_) => 0,
                Content::Sequence(items) => items.iter().map(Self::bytes).sum(),
                Content::Mapping(members) => members.iter().map(|(key, value)| key.bytes() + value.bytes()).sum(),
            }
    }

    /// A copy, if there is room for it.
    fn copy(&self, repeated: &mut usize) -> Result<Self, YamlProblem> {
        *repeated = repeated.saturating_add(self.bytes());
        if *repeated > REPEATED {
            return Err(self.problem(&format!("anchors and aliases stand for more than {} MiB", REPEATED >> 20)));
        }
        Ok(self.clone())
    }
}

/// All documents of a text.
pub(super) fn read(text: &str) -> Result<Vec<Node>, YamlProblem> {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), repeated: 0 };
    let mut documents = Vec::new();
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::DocumentStart(..) => reader.anchors.clear(),
            Event::StreamStart | Event::DocumentEnd => {}
            event => documents.push(reader.node(event, span, 0)?),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    repeated: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlProblem> {
        loop {
            let event = self.parser.next_event().transpose().map_err(|error| YamlProblem {
                line: error.marker().line(),
                column: error.marker().col() + 1,
                what: error.info(),
            })?;
            match event {
                Some((Event::Comment(..), _)) => {}
                Some(event) => return Ok(event),
                None => return Err(YamlProblem { line: 1, column: 1, what: "it ends in the middle".to_owned() }),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlProblem> {
        let at = |content| Node { content, line: span.start.line(), column: span.start.col() + 1 };
        if depth > DEPTH {
            return Err(at(Content::Scalar(Value::Null)).problem(&format!("nested deeper than {DEPTH} levels")));
        }
        let (content, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_string = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
                (Content::Scalar(if is_string { Value::String(text.into_owned()) } else { resolved(&text) }), anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(event, span, depth + 1)?);
                }
                (Content::Sequence(items), anchor)
            }
            Event::MappingStart(_, anchor, _) => (Content::Mapping(self.members(depth)?), anchor),
            Event::Alias(anchor) => {
                let unknown = at(Content::Scalar(Value::Null)).problem("an alias of nothing");
                let known = self.anchors.get(&anchor).ok_or(unknown)?;
                (known.copy(&mut self.repeated)?.content, 0)
            }
            _ => return Err(at(Content::Scalar(Value::Null)).problem("a value was expected")),
        };
        let node = at(content);
        if anchor != 0 {
            self.anchors.insert(anchor, node.copy(&mut self.repeated)?);
        }
        Ok(node)
    }

    fn members(&mut self, depth: usize) -> Result<Vec<(Node, Node)>, YamlProblem> {
        let mut members: Vec<(Node, Node)> = Vec::new();
        let mut merged: Vec<(Node, Node)> = Vec::new();
        let mut keys = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if is_merge {
                let sources = if value.items().is_empty() { std::slice::from_ref(&value) } else { value.items() };
                for (key, value) in sources.iter().flat_map(Node::members) {
                    merged.push((key.copy(&mut self.repeated)?, value.copy(&mut self.repeated)?));
                }
                continue;
            }
            // As JSON has it: Kubernetes makes a string of a key that is a number or a boolean.
            let text = match &key.content {
                Content::Scalar(Value::String(text)) => text.clone(),
                Content::Scalar(other) if !other.is_null() => other.to_string(),
                _ => return Err(key.problem("a key must be a string")),
            };
            if !keys.insert(text.clone()) {
                return Err(key.problem(&format!("the key {text} is there twice")));
            }
            members.push((Node { content: Content::Scalar(Value::String(text)), ..key }, value));
        }
        for (key, value) in merged {
            if key.text().is_some_and(|text| keys.insert(text.to_owned())) {
                members.push((key, value));
            }
        }
        Ok(members)
    }
}

/// What a plain scalar is by YAML 1.1, as the library of Kubernetes has it.
fn resolved(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.trim_start_matches(['+', '-']).replace('_', "");
    let is_signed = text.starts_with('-');
    let radix = |prefix: &str, radix| digits.strip_prefix(prefix).and_then(|rest| i64::from_str_radix(rest, radix).ok());
    let octal = (digits.len() > 1).then(|| radix("0", 8)).flatten();
    let whole = radix("0x", 16).or_else(|| radix("0b", 2)).or_else(|| radix("0o", 8)).or(octal).or_else(|| {
        let is_decimal = digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_decimal { digits.parse().ok() } else { None }
    });
    if let Some(whole) = whole {
        return Value::from(if is_signed { -whole } else { whole });
    }
    let is_float = digits.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.')
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    match digits.parse::<f64>() {
        Ok(number) if is_float => Value::from(number),
        _ => Value::String(text.to_owned()),
    }
}
