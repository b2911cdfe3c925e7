//! The way of every request: to a question of the register, with a body that is read within bounds.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use hyper::body::Body;
use serde::Serialize;
use tokio::time::timeout;

use crate::answer::{Answer, BODY_BYTES_MAX, Refusal, Reply};
use crate::asked::Asked;
use crate::cli::complain;
use crate::database::Database;
use crate::register::{Access, Question, Register};

/// How long a request body may take to arrive.
const BODY_WAIT: Duration = Duration::from_secs(10);

/// How much of a body that is too long is read and thrown away. A caller that is still sending
/// when the connection closes may never see the answer.
const BODY_DISCARD_BYTES_MAX: usize = 1024 * 1024;

/// What every register answers beside its own questions.
const HEALTH: Question = Question::get("/health", |connection, _| {
    Database::check(connection)?;
    Ok(Reply::ok(&Health { status: "ok" }))
});

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// Answers requests from a register.
pub(crate) struct Api {
    register: &'static Register,
    database: Database,
}

impl Api {
    pub(crate) fn new(register: &'static Register, database: Database) -> Self {
        Self { register, database }
    }

    /// Answers every request: a refusal is an answer too.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Unpin,
    {
        match self.try_answer(request).await {
            Ok(reply) => reply.into_answer(),
            Err(refusal) => {
                if let Some(cause) = refusal.source() {
                    complain(&cause.to_string());
                }
                refusal.into_answer()
            }
        }
    }

    async fn try_answer<B>(&self, request: Request<B>) -> Result<Reply, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (head, body) = request.into_parts();
        let (question, segment) = self.find(head.uri.path()).ok_or(Refusal::Path)?;
        if head.method != question.method {
            return Err(Refusal::Method { allow: question.method.clone() });
        }
        let segment = segment.to_owned();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let mut asked = Asked { segment, query, headers: head.headers, body: Vec::new() };
        if question.method == Method::POST {
            check_media_type(&asked.headers)?;
            let body = timeout(BODY_WAIT, read(body)).await;
            asked.body = body.map_err(|_| Refusal::BodyTooSlow)??;
        }
        let answer = question.answer;
        match question.access {
            Access::Read => self.database.read(move |tables| answer(tables, &asked)).await,
            Access::Write => self.database.write(move |tables| answer(tables, &asked)).await,
        }
    }

    /// The question that is asked at `path`, and the path's identifier.
    fn find<'p>(&self, path: &'p str) -> Option<(&'static Question, &'p str)> {
        let mut questions = self.register.questions.iter().chain([const { &HEALTH }]);
        questions.find_map(|question| Some((question, question.fits(path)?)))
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Refusal::MediaType) }
}

/// Reads a body of at most `BODY_BYTES_MAX`.
async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Vec<u8>, Refusal> {
    if (BODY_DISCARD_BYTES_MAX as u64) < body.size_hint().lower() {
        return Err(Refusal::BodyTooLong);
    }
    let mut kept = Vec::new();
    let mut seen_bytes = 0;
    while let Some(frame) = body.frame().await {
        // Trailers are no data, and nothing here wants them.
        let Ok(data) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else { continue };
        seen_bytes += data.len();
        if BODY_DISCARD_BYTES_MAX < seen_bytes {
            break;
        }
        if seen_bytes <= BODY_BYTES_MAX {
            kept.extend_from_slice(&data);
        }
    }
    if BODY_BYTES_MAX < seen_bytes { Err(Refusal::BodyTooLong) } else { Ok(kept) }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[test]
    fn a_body_is_json_or_says_nothing_of_itself() {
        #[rustfmt::skip]
        let cases = [
            ("application/json",                true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json;",               true),
            ("application/jsonp",               false),
            ("text/xml",                        false),
            ("",                                false),
        ];
        for (kind, want) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            assert_eq!(check_media_type(&headers).is_ok(), want, "{kind}");
        }
        assert!(check_media_type(&HeaderMap::new()).is_ok());
    }

    #[tokio::test]
    async fn reads_bodies_up_to_the_limit() {
        for (bytes, want) in [
            (0, true),
            (BODY_BYTES_MAX, true),
            (BODY_BYTES_MAX + 1, false),
            (BODY_DISCARD_BYTES_MAX + 1, false),
        ] {
            let body = Full::new(Bytes::from(vec![b' '; bytes]));
            match read(body).await {
                Ok(kept) => assert!(want && kept.len() == bytes, "{bytes}"),
                Err(refusal) => assert!(!want && matches!(refusal, Refusal::BodyTooLong)),
            }
        }
    }
}
