//! YAML streams as trees, document by document and, for lists, item by item.
//!
//! Works on the events of serde-saphyr's parser rather than on its deserializer, which settles the type of a scalar before
//! anyone could leave out a single bad object. Hostile input costs no more than its size: nesting is limited, and so is what
//! aliases may repeat.

use std::collections::{BTreeMap, HashMap};

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag, options};

use super::collect::{Repeated, Sink};
use super::json::is_items;
use super::node::{Keep, Tree, is_null};
use super::{MAX_DEPTH, Malformed};

/// How many bytes all aliases and anchors of a file may stand for together. The API's own output has no aliases.
const MAX_REPEATED: usize = 64 << 20;

/// Hands every object of a YAML stream to `sink`.
pub(super) fn read(text: &str, sink: &mut Sink<'_>) -> Result<(), Malformed> {
    let options = options! { emit_comments: false };
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        copied: 0,
        repeated: Repeated::default(),
    };
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::DocumentStart(..) => {
                reader.anchors.clear();
            }
            Event::StreamStart | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            other => reader.document(other, span, sink)?,
        }
    }
    Ok(())
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Tree>,
    /// How many bytes aliases and anchors have made so far.
    copied: usize,
    repeated: Repeated,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Malformed> {
        self.parser.next_event().transpose().map_err(|error: ScanError| Malformed::yaml(error.marker(), error.info()))
    }

    fn expect(&mut self) -> Result<(Event<'a>, Span), Malformed> {
        self.next()?.ok_or_else(|| Malformed { line: 0, column: 0, message: "it ends in the middle".into() })
    }

    /// A document: an object, a list of objects, or nothing.
    fn document(&mut self, event: Event<'a>, span: Span, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        match event {
            Event::MappingStart(..) => {
                let mut members = Tree::Mapping(BTreeMap::new());
                sink.open();
                loop {
                    let (event, at) = self.expect()?;
                    if matches!(event, Event::MappingEnd) {
                        break;
                    }
                    let key = self.key(event, at, 1)?;
                    let (event, at) = self.expect()?;
                    if is_items(&key) {
                        sink.begin_items(&members);
                        match event {
                            Event::SequenceStart(..) => self.items(sink)?,
                            Event::Scalar(text, ScalarStyle::Plain, ..) if is_null(&text) => {}
                            _ => return Err(Malformed::yaml(&at.start, "a list of Kubernetes objects was expected".into())),
                        }
                    } else if let Some(keep) = Keep::Useful.below(&key) {
                        let value = self.tree(event, at, keep, 1)?;
                        members.insert(key, value, &self.repeated);
                    } else {
                        self.skip(event, at, 1)?;
                    }
                }
                sink.close(members, span.start.line(), &self.repeated);
                Ok(())
            }
            Event::SequenceStart(..) => {
                sink.open_array();
                self.items(sink)?;
                sink.close(Tree::Mapping(BTreeMap::new()), span.start.line(), &self.repeated);
                Ok(())
            }
            Event::Scalar(text, ScalarStyle::Plain, ..) if is_null(&text) => Ok(()),
            Event::Scalar(text, style, _, tag) => {
                sink.scalar(&scalar(text.into_owned(), style, tag.as_deref()));
                Ok(())
            }
            _ => Err(Malformed::yaml(&span.start, "a Kubernetes object or a list of them was expected".into())),
        }
    }

    fn items(&mut self, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        loop {
            let (event, span) = self.expect()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(());
            }
            let line = span.start.line();
            let item = self.tree(event, span, Keep::Useful, 2)?;
            sink.item(item, line, &self.repeated);
        }
    }

    fn key(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<String, Malformed> {
        match self.tree(event, span, Keep::All, depth)? {
            Tree::Text(text) | Tree::Plain(text) => Ok(text),
            _ => Err(Malformed::yaml(&span.start, "a key must be a string".into())),
        }
    }

    fn tree(&mut self, event: Event<'a>, span: Span, keep: Keep, depth: usize) -> Result<Tree, Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed::yaml(&span.start, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        // An alias may stand where more is kept than where its anchor stands.
        let keep = |anchor: usize| if anchor == 0 { keep } else { Keep::All };
        let (tree, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (scalar(text.into_owned(), style, tag.as_deref()), anchor),
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, at) = self.expect()?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.tree(event, at, keep(anchor), depth + 1)?);
                }
                (Tree::Sequence(items), anchor)
            }
            Event::MappingStart(_, anchor, _) => (self.mapping(keep(anchor), depth)?, anchor),
            Event::Alias(anchor) => {
                let Some(tree) = self.anchors.get(&anchor) else {
                    return Err(Malformed::yaml(&span.start, "an alias inside its own anchor".into()));
                };
                let tree = Self::copy(tree, &mut self.copied, &span)?;
                (tree, 0)
            }
            _ => return Err(Malformed::yaml(&span.start, "a value was expected".into())),
        };
        if anchor != 0 {
            let copy = Self::copy(&tree, &mut self.copied, &span)?;
            self.anchors.insert(anchor, copy);
        }
        Ok(tree)
    }

    /// A copy, if there is room for it.
    fn copy(tree: &Tree, copied: &mut usize, span: &Span) -> Result<Tree, Malformed> {
        *copied = copied.saturating_add(tree.bytes());
        if *copied > MAX_REPEATED {
            let most = MAX_REPEATED >> 20;
            return Err(Malformed::yaml(&span.start, format!("anchors and aliases stand for more than {most} MiB")));
        }
        Ok(tree.clone())
    }

    fn mapping(&mut self, keep: Keep, depth: usize) -> Result<Tree, Malformed> {
        let mut members = Tree::Mapping(BTreeMap::new());
        let mut merged = Vec::new();
        loop {
            let (event, at) = self.expect()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.key(event, at, depth + 1)?;
            let (event, at) = self.expect()?;
            match keep.below(&key) {
                Some(_) if is_merge => merged.push(self.tree(event, at, keep, depth + 1)?),
                Some(keep) => {
                    let value = self.tree(event, at, keep, depth + 1)?;
                    members.insert(key, value, &self.repeated);
                }
                None => self.skip(event, at, depth + 1)?,
            }
        }
        for source in merged {
            let sources = if let Tree::Sequence(sources) = source { sources } else { vec![source] };
            for source in sources {
                if let Tree::Mapping(source) = source {
                    for (key, value) in source {
                        if members.get(&key).is_none() {
                            members.insert(key, value, &self.repeated);
                        }
                    }
                }
            }
        }
        Ok(members)
    }

    /// Reads over a value, but for anchors in it.
    fn skip(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed::yaml(&span.start, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        match event {
            Event::Scalar(_, _, 0, _) | Event::Alias(_) => Ok(()),
            Event::SequenceStart(_, 0, _) | Event::MappingStart(_, 0, _) => loop {
                let (event, at) = self.expect()?;
                if matches!(event, Event::SequenceEnd | Event::MappingEnd) {
                    return Ok(());
                }
                self.skip(event, at, depth + 1)?;
            },
            anchored => self.tree(anchored, span, Keep::All, depth).map(drop),
        }
    }
}

fn scalar(text: String, style: ScalarStyle, tag: Option<&Tag>) -> Tree {
    match tag.and_then(Tag::core_suffix) {
        Some("str") => Tree::Text(text),
        Some(_) => Tree::Plain(text),
        None if style == ScalarStyle::Plain => Tree::Plain(text),
        None => Tree::Text(text),
    }
}
