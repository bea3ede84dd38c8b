//! One object as a tree: what YAML and JSON have in common, with the text of every scalar as it was written.
//!
//! Both formats are read into this before anyone asks for types, for three reasons: an object that is not what its kind says
//! is left out alone, and the rest of the file is read on; a list of any size is read item by item, and only the item at hand
//! is held; and a plain scalar (`on`, `1_000`, `1.10`) stays text where a string is asked for, whatever a YAML version would
//! make of it. What no conversion reads is not kept at all, see [`Keep`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::collect::Repeated;
use super::internal_names::api_name;

/// A node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    /// A quoted or block scalar, a JSON string.
    Text(String),
    /// A plain scalar, a JSON number, boolean or null: what it means depends on what is asked for.
    Plain(String),
    /// A sequence.
    Sequence(Vec<Self>),
    /// A mapping; of equal keys the last counts.
    Mapping(BTreeMap<String, Self>),
}

impl Tree {
    /// The member of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Mapping(members) => members.get(key),
            _ => None,
        }
    }

    /// Sets the member of a mapping, and notes if there was one already.
    pub(super) fn insert(&mut self, key: String, value: Self, repeated: &Repeated) {
        if let Self::Mapping(members) = self {
            if members.contains_key(&key) {
                repeated.borrow_mut().insert(key.clone());
            }
            members.insert(key, value);
        }
    }

    /// The text of a scalar that is not null.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Plain(text) if !is_null(text) => Some(text),
            _ => None,
        }
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        const NODE: usize = size_of::<Tree>();
        /// Of a member: its key, and its share of the map's nodes.
        const MEMBER: usize = 2 * size_of::<String>();
        match self {
            Self::Text(text) | Self::Plain(text) => NODE + text.len(),
            Self::Sequence(items) => items.iter().map(Self::bytes).fold(NODE, usize::saturating_add),
            Self::Mapping(members) => {
                let bytes = members.iter().map(|(key, value)| MEMBER + key.len() + value.bytes());
                bytes.fold(NODE, usize::saturating_add)
            }
        }
    }

    /// The tree as a typed value.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        T::deserialize(self)
    }

    /// What it is instead of what was expected, without its value: an object of another kind may hold a secret there.
    fn unlike(&self, expected: &str) -> Mismatch {
        let found = match self {
            Self::Plain(text) if text.parse::<f64>().is_ok() => "a number",
            Self::Text(_) | Self::Plain(_) => "a text",
            Self::Sequence(_) => "a list",
            Self::Mapping(_) => "a mapping",
        };
        Mismatch(format!("{expected} was expected, not {found}"))
    }
}

impl From<serde_json::Value> for Tree {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Plain("null".into()),
            serde_json::Value::Bool(value) => Self::Plain(value.to_string()),
            serde_json::Value::Number(value) => Self::Plain(value.to_string()),
            serde_json::Value::String(value) => Self::Text(value),
            serde_json::Value::Array(items) => Self::Sequence(items.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(members) => {
                Self::Mapping(members.into_iter().map(|(key, value)| (key, Self::from(value))).collect())
            }
        }
    }
}

/// Whether a plain scalar is null in YAML's core schema.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Which members of a mapping are kept while reading. Most bytes of a cluster's objects are of no use here (`managedFields`,
/// volumes, environments, contents of Secrets), and Secrets had better not be in memory at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Members of the API's own naming: all but those known to be of no use.
    Useful,
    /// Members named by users (labels, selectors): all.
    All,
}

impl Keep {
    /// What to keep below the member `key`; `None` leaves the member out.
    pub(super) fn below(self, key: &str) -> Option<Self> {
        if self == Self::All {
            return Some(Self::All);
        }
        // Old dumps spell members with capitals, and have `hostNetwork` in the security context.
        let key = match api_name(key) {
            Cow::Owned(name) if name == "securityContext" => return Some(Self::Useful),
            name => name,
        };
        match &*key {
            "labels" | "matchLabels" | "selector" | "annotations" => Some(Self::All),
            "data"
            | "binaryData"
            | "stringData"
            | "managedFields"
            | "volumes"
            | "volumeMounts"
            | "volumeDevices"
            | "env"
            | "envFrom"
            | "resources"
            | "allocatedResources"
            | "lifecycle"
            | "securityContext"
            | "affinity"
            | "tolerations"
            | "volumeClaimTemplates"
            | "images"
            | "volumesAttached"
            | "volumesInUse"
            | "nodeInfo"
            | "involvedObject"
            | "openAPIV3Schema" => None,
            _ => Some(Self::Useful),
        }
    }
}

/// Why a tree is not the value that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch(pub(super) String);

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl<'de> IntoDeserializer<'de, Mismatch> for &'de Tree {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self {
                Tree::Plain(text) => match text.parse::<$type>() {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => Err(Mismatch(format!("`{}` is not {}", shorten(text), Expected(&visitor)))),
                },
                other => Err(other.unlike("a number")),
            }
        }
    )*};
}

/// The members of a mapping; what goes wrong in one is told with its key.
struct Members<'de> {
    rest: std::collections::btree_map::Iter<'de, String, Tree>,
    current: Option<(&'de str, &'de Tree)>,
}

impl<'de> de::MapAccess<'de> for Members<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mismatch> {
        self.current = self.rest.next().map(|(key, value)| (key.as_str(), value));
        let key = self.current.map(|(key, _)| BorrowedStrDeserializer::<Mismatch>::new(key));
        key.map(|key| seed.deserialize(key)).transpose()
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let Some((key, value)) = self.current else {
            return Err(Mismatch("a value without a key".into()));
        };
        seed.deserialize(value).map_err(|Mismatch(message)| match message.strip_prefix('.') {
            Some(below) => Mismatch(format!(".{}.{below}", shorten(key))),
            None => Mismatch(format!(".{}: {message}", shorten(key))),
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Expected<'a, V>(&'a V);

impl<'de, V: Visitor<'de>> fmt::Display for Expected<'_, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }
}

/// The beginning of a text from a file, for messages.
pub(super) fn shorten(text: &str) -> String {
    const LENGTH: usize = 80;
    if text.chars().count() <= LENGTH {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LENGTH).collect();
    short.push('…');
    short
}

/// Null reads as an empty string, sequence or mapping, as Go's decoders of the API server have it.
impl<'de> de::Deserializer<'de> for &'de Tree {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Tree::Text(text) => visitor.visit_borrowed_str(text),
            Tree::Plain(text) if is_null(text) => visitor.visit_unit(),
            Tree::Plain(text) => match text.as_str() {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                _ => match text.parse::<i64>() {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => visitor.visit_borrowed_str(text),
                },
            },
            Tree::Sequence(items) => visitor.visit_seq(SeqDeserializer::new(items.iter())),
            Tree::Mapping(members) => visitor.visit_map(Members { rest: members.iter(), current: None }),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Tree::Plain(text) if is_null(text) => visitor.visit_borrowed_str(""),
            Tree::Text(text) | Tree::Plain(text) => visitor.visit_borrowed_str(text),
            other => Err(other.unlike("a string")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Tree::Plain(text) if text == "true" => visitor.visit_bool(true),
            Tree::Plain(text) if text == "false" || is_null(text) => visitor.visit_bool(false),
            other => Err(other.unlike("true or false")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Tree::Plain(text) if is_null(text) => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Tree::Sequence(items) => visitor.visit_seq(SeqDeserializer::new(items.iter())),
            Tree::Plain(text) if is_null(text) => visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<&Tree>())),
            other => Err(other.unlike("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Tree::Mapping(members) => visitor.visit_map(Members { rest: members.iter(), current: None }),
            Tree::Plain(text) if is_null(text) => visitor.visit_map(MapDeserializer::new(std::iter::empty::<(&str, &Tree)>())),
            other => Err(other.unlike("a mapping")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    numbers! {
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier ignored_any
    }
}
