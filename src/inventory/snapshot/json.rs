//! JSON values as trees, one after the other and, for lists, item by item; the text itself is never held.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Malformed;
use super::collect::{Repeated, Sink};
use super::node::{Keep, Tree};

/// Hands every object of concatenated JSON values to `sink`.
pub(super) fn read<'a, R: serde_json::de::Read<'a>>(reader: R, sink: &mut Sink<'_>) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::new(reader);
    // `end` reads over white space and fails, without consuming it, at what follows.
    while deserializer.end().is_err() {
        DocumentSeed(sink).deserialize(&mut deserializer)?;
    }
    Ok(())
}

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        // serde_json repeats the place at the end of its message.
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let message = text.strip_suffix(&place).unwrap_or(&text).to_owned();
        Self { line: error.line(), column: error.column(), message }
    }
}

struct DocumentSeed<'s, 'o>(&'s mut Sink<'o>);

impl<'de> DeserializeSeed<'de> for DocumentSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DocumentSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a Kubernetes object or a list of them")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.0.scalar(&Tree::Plain(value.to_string()));
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.0.scalar(&Tree::Plain(value.to_string()));
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.0.scalar(&Tree::Plain(value.to_string()));
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.0.scalar(&Tree::Plain(value.to_string()));
        Ok(())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.0.scalar(&Tree::Text(value.to_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<(), A::Error> {
        self.0.open_array();
        ItemsSeed(self.0).visit_seq(access)?;
        self.0.close(Tree::Mapping(BTreeMap::new()), 0, &Repeated::default());
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let mut members = Tree::Mapping(BTreeMap::new());
        let repeated = Repeated::default();
        self.0.open();
        while let Some(key) = access.next_key::<String>()? {
            if is_items(&key) {
                self.0.begin_items(&members);
                access.next_value_seed(ItemsSeed(self.0))?;
            } else if let Some(keep) = Keep::Useful.below(&key) {
                let value = access.next_value_seed(TreeSeed(keep, &repeated))?;
                members.insert(key, value, &repeated);
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        self.0.close(members, 0, &repeated);
        match self.0.other_version() {
            Some(_) => Err(de::Error::custom("another version")),
            None => Ok(()),
        }
    }
}

/// The items of a list; kubectl before 1.14 writes them with a capital.
pub(super) fn is_items(key: &str) -> bool {
    matches!(key, "items" | "Items")
}

struct ItemsSeed<'s, 'o>(&'s mut Sink<'o>);

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of Kubernetes objects")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let repeated = Repeated::default();
        while let Some(item) = access.next_element_seed(TreeSeed(Keep::Useful, &repeated))? {
            self.0.item(item, 0, &repeated);
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct TreeSeed<'r>(Keep, &'r Repeated);

impl<'de> DeserializeSeed<'de> for TreeSeed<'_> {
    type Value = Tree;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TreeSeed<'_> {
    type Value = Tree;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        Ok(Tree::Plain("null".into()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Plain(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Plain(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Plain(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Plain(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Tree::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut members = Tree::Mapping(BTreeMap::new());
        while let Some(key) = access.next_key::<String>()? {
            if let Some(keep) = self.0.below(&key) {
                let value = access.next_value_seed(Self(keep, self.1))?;
                members.insert(key, value, self.1);
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        Ok(members)
    }
}
