//! YAML, as far as OpenAPI needs it: maps, lists and text. Built from events, so that nothing grows
//! beyond its bound: an alias of an alias of an alias is counted like what it stands for.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

use crate::{Unreadable, unreadable};

const FORM: &str = "YAML";

/// Values in one document, those that aliases stand for included.
const VALUES_MAX: usize = 200_000;

/// How deep values may lie in each other.
const DEPTH_MAX: usize = 64;

/// Reads the one document of `text`. Every scalar is text.
pub(crate) fn read(text: &str) -> Result<Value, Unreadable> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|why| unreadable(FORM, why))?;
        match event {
            Event::Scalar(text, _, anchor, _) => {
                builder.value(Value::String(text.into_owned()), 1, anchor)?;
            }
            Event::SequenceStart(anchor, _) => builder.open(Value::Array(Vec::new()), anchor)?,
            Event::MappingStart(anchor, _) => builder.open(Value::Object(Map::new()), anchor)?,
            Event::SequenceEnd | Event::MappingEnd => builder.close()?,
            Event::Alias(anchor) => builder.alias(anchor)?,
            Event::DocumentStart(_) if builder.whole.is_some() => {
                return Err(unreadable(FORM, "it holds more than one document"));
            }
            _ => {}
        }
    }
    builder.whole.ok_or_else(|| unreadable(FORM, "it holds nothing"))
}

#[derive(Default)]
struct Builder {
    /// What is not finished yet, the innermost last.
    open: Vec<Open>,
    whole: Option<Value>,
    /// Finished values that aliases may name, and how many values each holds.
    anchors: HashMap<usize, (Value, usize)>,
    values: usize,
}

struct Open {
    value: Value,
    /// The key of a map whose value comes next.
    key: Option<String>,
    anchor: usize,
    /// Values in it.
    count: usize,
}

impl Builder {
    fn open(&mut self, value: Value, anchor: usize) -> Result<(), Unreadable> {
        if DEPTH_MAX <= self.open.len() {
            return Err(unreadable(FORM, format!("it is more than {DEPTH_MAX} levels deep")));
        }
        self.open.push(Open { value, key: None, anchor, count: 1 });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Unreadable> {
        let Some(Open { value, anchor, count, .. }) = self.open.pop() else { return Ok(()) };
        // What is in it was counted as it came.
        self.values = self.values.saturating_sub(count - 1);
        self.value(value, count, anchor)
    }

    fn alias(&mut self, anchor: usize) -> Result<(), Unreadable> {
        let named = self.anchors.get(&anchor).cloned();
        let (value, count) =
            named.ok_or_else(|| unreadable(FORM, "an alias stands inside what it names"))?;
        self.value(value, count, 0)
    }

    /// Puts a finished `value` of `count` values where it belongs.
    fn value(&mut self, value: Value, count: usize, anchor: usize) -> Result<(), Unreadable> {
        self.values += count;
        if VALUES_MAX < self.values {
            return Err(unreadable(FORM, format!("it holds more than {VALUES_MAX} values")));
        }
        if anchor != 0 {
            // A copy is a value too: anchors cannot multiply for nothing.
            self.values += count;
            self.anchors.insert(anchor, (value.clone(), count));
        }
        let Some(outer) = self.open.last_mut() else {
            self.whole = Some(value);
            return Ok(());
        };
        outer.count += count;
        match (&mut outer.value, outer.key.take(), value) {
            (Value::Array(items), _, value) => items.push(value),
            (Value::Object(fields), Some(key), value) => {
                if fields.insert(key, value).is_some() {
                    return Err(unreadable(FORM, "a map has a key twice"));
                }
            }
            (_, None, Value::String(key)) => outer.key = Some(key),
            _ => return Err(unreadable(FORM, "the key of a map is no text")),
        }
        Ok(())
    }
}
