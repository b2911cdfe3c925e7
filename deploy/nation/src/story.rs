//! What is shown of a nation at work: chapters of inquiries and dials, as a file tells them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::id::PurposeId;
use mesh_core::operation::Method;
use serde::Deserialize;

/// Largest story, in bytes.
const STORY_BYTES_MAX: u64 = 1024 * 1024;

/// A worked scenario.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// What is known from the start, for `{name}` in paths and bodies.
    #[serde(default)]
    pub given: BTreeMap<String, String>,
    #[serde(default)]
    pub chapters: Vec<Chapter>,
    /// A file of objects that permits what the story saw refused; relative to the story's folder.
    #[serde(default)]
    pub remedy: Option<PathBuf>,
}

/// A few steps that make one point. Its inquiries come before its dials.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chapter {
    pub title_fa: String,
    pub title_en: String,
    #[serde(default)]
    pub inquiries: Vec<Inquiry>,
    #[serde(default)]
    pub dials: Vec<Dial>,
}

/// One request of a system, as an application would make it on loopback.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inquiry {
    pub title_fa: String,
    pub title_en: String,
    pub consumer: SystemAddress,
    pub service: ServiceAddress,
    #[serde(default = "Inquiry::method_default")]
    pub method: Method,
    pub path: String,
    /// Sent as JSON.
    #[serde(default)]
    pub body: Option<serde_json::Value>,
    #[serde(default)]
    pub purpose: Option<PurposeId>,
    /// Of a submission, so that it counts once however often it is sent.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// What of the answer later steps may use: name, and where it stands (RFC 6901).
    #[serde(default)]
    pub remember: BTreeMap<String, String>,
    /// The reason with which it must be refused; it must be answered where there is none.
    #[serde(default)]
    pub refused: Option<String>,
}

/// A node that dials a port where it has no business, with its own genuine certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dial {
    pub title_fa: String,
    pub title_en: String,
    /// The node whose certificate is shown, such as `hub.economy`.
    pub from: String,
    /// The hub that is dialled.
    pub to: String,
}

/// A story that cannot be told. Names the file, and the line where it can.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    #[error("{}: cannot be read", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{}:{line}: {message}", file.display())]
    Line { file: PathBuf, line: usize, message: String },
}

/// A name in braces that stands for nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{{{0}}} is not known: no earlier answer had it")]
pub struct Unknown(pub String);

/// What the names in braces stand for, so far.
pub type Known = BTreeMap<String, String>;

impl Story {
    pub fn load(file: &Path) -> Result<Self, StoryError> {
        let read = |source| StoryError::Read { file: file.into(), source };
        let text = read_bounded(file).map_err(read)?;
        let mut story: Self = toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text[..start].matches('\n').count() + 1;
            let message = error.message().replace('\n', ", ");
            StoryError::Line { file: file.into(), line, message }
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        story.remedy = story.remedy.map(|remedy| folder.join(remedy));
        Ok(story)
    }
}

impl Inquiry {
    /// Its path and its body, with everything filled in.
    pub fn filled(&self, known: &Known) -> Result<(String, Option<String>), Unknown> {
        let body = self.body.as_ref().map(|body| fill(&body.to_string(), known)).transpose()?;
        Ok((fill(&self.path, known)?, body))
    }

    /// Keeps what later steps may use.
    pub fn remember(&self, answer: &serde_json::Value, known: &mut Known) {
        for (name, place) in &self.remember {
            let value = match answer.pointer(place) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(serde_json::Value::Number(number)) => number.to_string(),
                // Whoever uses it says that it is missing.
                _ => continue,
            };
            known.insert(name.clone(), value);
        }
    }

    fn method_default() -> Method {
        Method::Get
    }
}

/// `text` with every `{name}` replaced. A brace that begins no name stays, as JSON has them.
pub fn fill(text: &str, known: &Known) -> Result<String, Unknown> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let is_name = |name: &str| {
            !name.is_empty()
                && name.chars().all(|found| matches!(found, 'a'..='z' | '0'..='9' | '_'))
        };
        match after.split_once('}') {
            Some((name, behind)) if is_name(name) => {
                let value = known.get(name).ok_or_else(|| Unknown(name.into()))?;
                filled.push_str(value);
                rest = behind;
            }
            _ => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

fn read_bounded(file: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(file)?.take(STORY_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        [("id".to_owned(), "17".to_owned())].into()
    }

    #[test]
    fn names_in_braces_are_filled() {
        let cases = [
            ("/persons/{id}/kin", Ok("/persons/17/kin")),
            ("{\"a\":{\"b\":\"{id}\"}}", Ok("{\"a\":{\"b\":\"17\"}}")),
            ("{id}{id}", Ok("1717")),
            ("{", Ok("{")),
            ("{code}", Err(Unknown("code".into()))),
        ];
        for (text, want) in cases {
            assert_eq!(fill(text, &known()), want.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn what_an_answer_says_is_remembered() {
        let text = "title_fa = \"\"\ntitle_en = \"\"\nconsumer = \"ir/gov/a/b\"\n\
                    service = \"ir/gov/c/d/e.v1\"\npath = \"/\"\n\
                    remember = { code = \"/address/postal_code\", none = \"/none\" }\n";
        let inquiry: Inquiry = toml::from_str(text).unwrap();
        assert_eq!(inquiry.method, Method::Get);
        let mut known = known();
        inquiry.remember(&serde_json::json!({"address": {"postal_code": "1234"}}), &mut known);
        assert_eq!(fill("{code} {id}", &known), Ok("1234 17".into()));
        assert_eq!(fill("{none}", &known), Err(Unknown("none".into())));
    }
}
